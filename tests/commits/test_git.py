"""Questions to Git: whatever fails is an error of one line, and a name that means two things is refused."""

from pathlib import Path

import pytest

from mnist_pipeline.commits import git, revision
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core.errors import PipelineError
from tests.repository import Repository


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository of two commits, in which we are."""
    monkeypatch.chdir(tmp_path)
    repository = Repository(tmp_path)
    repository.run("git", "init", "--quiet", "--initial-branch", "main")
    for content in (b"first\r\n\xff", b"second"):
        (tmp_path / "file").write_bytes(content)
        repository.commit("Another")
    return repository


@pytest.mark.usefixtures("small")
def test_the_bytes_of_a_file_and_none_for_no_such_file() -> None:
    assert revision.at("HEAD~1").content(Path("file")) == b"first\r\n\xff"
    assert revision.at("HEAD").content(Path("nothing")) is None


def test_what_git_can_not_read_is_named(small: Repository) -> None:
    with pytest.raises(PipelineError, match=r"git ls-tree .*nowhere"):
        Revision("nowhere", "nowhere").content(Path("file"))
    blob = small.run("git", "rev-parse", "HEAD:file").strip()
    (small.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(PipelineError, match=r"git cat-file blob [0-9a-f]+:\./file: "):
        revision.at("HEAD").content(Path("file"))


def test_what_git_prints_does_not_depend_on_a_users_settings(small: Repository) -> None:
    """A signed commit would be shown with what GnuPG says of it."""
    tree, parent = (small.run("git", "rev-parse", name).strip() for name in ("HEAD^{tree}", "HEAD"))
    signed = f"tree {tree}\nparent {parent}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n"
    signed += "gpgsig -----BEGIN PGP SIGNATURE-----\n \n none\n -----END PGP SIGNATURE-----\n\nÄ\n"
    (small.path / "commit").write_bytes(signed.encode())
    commit = small.run("git", "hash-object", "-t", "commit", "-w", "commit").strip()
    for key, value in (("log.showSignature", "true"), ("i18n.logOutputEncoding", "latin1")):
        small.run("git", "config", key, value)
    assert git.ask("show", "--no-patch", "--format=%s", commit) == "Ä"


def test_a_folder_is_asked_though_a_hook_names_another_repository(
    small: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(small.path / ".git"))
    git.ask("init", "--quiet", str(tmp_path / "other"), folder=tmp_path)
    assert git.ask("rev-parse", "--show-toplevel", folder=tmp_path / "other") == str(tmp_path / "other")


@pytest.mark.parametrize("kind", ["heads", "tags"])
def test_an_experiment_with_the_name_of_a_branch_or_tag_is_refused_and_both_are_told(
    kind: str, small: Repository
) -> None:
    experiment, other = f"refs/exps/ab/{'c' * 38}/trial", f"refs/{kind}/trial"
    first, second = git.commit_of("HEAD~1"), git.commit_of("HEAD")
    small.run("git", "update-ref", experiment, first)
    assert git.commit_of("trial") == first
    small.run("git", "update-ref", other, second)
    with pytest.raises(PipelineError, match=f"^trial: 2 refs have that name; say which: {experiment}, {other}$"):
        git.commit_of("trial")
    assert (git.commit_of(experiment), git.commit_of(other)) == (first, second)

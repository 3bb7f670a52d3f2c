"""Questions to Git: whatever fails is an error of one line, and a name that means two things is refused."""

from pathlib import Path

import pytest

from mnist_pipeline.commits import git
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
    assert git.blob("HEAD~1", "file") == b"first\r\n\xff"
    assert git.blob("HEAD", "nothing") is None
    assert (git.show("HEAD", "file"), git.show("HEAD", "nothing")) == ("second", None)


def test_what_git_can_not_read_is_named(small: Repository) -> None:
    with pytest.raises(PipelineError, match=r"git ls-tree .*nowhere"):
        git.blob("nowhere", "file")
    blob = small.run("git", "rev-parse", "HEAD:file").strip()
    (small.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(PipelineError, match=r"git show HEAD:\./file: "):
        git.blob("HEAD", "file")


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

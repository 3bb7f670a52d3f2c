"""What comes from DVC's cache is what its name promises, and what is no entry of the run cache disturbs nobody."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline import repro
from tests.pipeline.conftest import Project
from tests.repository import Repository, outcomes

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep")  # of a package of DVC's
COPY: dict[str, Any] = {"cmd": "echo ran >>log; mkdir a; cp source a/one", "deps": ["source"], "outs": ["a"]}


def object_of(md5: str, cache: Path = Path(".dvc/cache")) -> Path:
    return cache / "files" / "md5" / md5[:2] / md5[2:]


def damage(path: Path, content: bytes = b"") -> None:
    """As a power failure may: other bytes in a file that is still read-only, for which DVC takes it to be whole."""
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


@pytest.mark.parametrize("of", ["a/one", "a"])
@pytest.mark.parametrize("known", ["dvc.lock", "the run cache alone"])
@pytest.mark.parametrize("content", [b"", b"c0ntent\n"], ids=["empty", "a bit turned"])
def test_a_damaged_object_is_not_restored(
    shell: Project, capsys: pytest.CaptureFixture[str], of: str, known: str, content: bytes
) -> None:
    shell.write(a=COPY)
    shell.run()
    lock, whole = Path("dvc.lock").read_bytes(), lockfile.md5(Path("a"))
    found = object_of(lockfile.md5(Path(of)))
    damage(found, content)
    shutil.rmtree("a")
    if known != "dvc.lock":
        Path("dvc.lock").unlink()
    assert shell.run() == ["a"]
    assert f"{found.resolve()}: damaged" in capsys.readouterr().out
    assert shell.logged() == ["ran", "ran"]
    assert (Path("a/one").read_text("utf-8"), Path("dvc.lock").read_bytes()) == ("content\n", lock)
    shutil.rmtree("a")
    assert shell.run() == []
    assert lockfile.md5(Path("a")) == whole


@pytest.mark.parametrize("of", ["a/one", "a"])
@pytest.mark.parametrize("kept", [True, False], ids=["output there", "output gone"])
def test_a_dangling_link_in_the_cache_is_a_damaged_object(
    shell: Project, capsys: pytest.CaptureFixture[str], of: str, kept: bool
) -> None:
    shell.write(a=COPY)
    shell.run()
    lock, found = Path("dvc.lock").read_bytes(), object_of(lockfile.md5(Path(of))).resolve()
    found.unlink()
    found.symlink_to("no/where")
    if not kept:
        shutil.rmtree("a")
    shell.run()
    assert f"{found}: damaged" in capsys.readouterr().out
    shutil.rmtree("a")
    assert shell.run() == []
    assert (found.is_symlink(), Path("a/one").read_text("utf-8")) == (False, "content\n")
    assert Path("dvc.lock").read_bytes() == lock


def test_a_damaged_list_of_files_stops_nobody(shell: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """It is still JSON, which DVC would parse before it hashes it."""
    shell.write(a=COPY)
    shell.run()
    found = object_of(lockfile.md5(Path("a")))
    damage(found, found.read_bytes().replace(b"relpath", b"relpati"))
    shell.run()
    assert f"{found.resolve()}: damaged" in capsys.readouterr().out
    assert Path("a/one").read_text("utf-8") == "content\n"


def test_what_a_stage_makes_again_takes_the_place_of_a_damaged_object(shell: Project) -> None:
    """Also of a stage that has no run cache."""
    stage = COPY | {"cmd": f"{COPY['cmd']}; touch plain", "deps": ["source", "other"]}
    shell.write(a=stage | {"outs": ["a", {"plain": {"cache": False}}]})
    Path("other").write_text("1", encoding="utf-8")
    shell.run()
    found = object_of(lockfile.md5(Path("source")))
    damage(found)
    Path("other").write_text("2", encoding="utf-8")
    assert shell.run() == ["a"]
    assert found.read_text("utf-8") == "content\n"


def test_the_weights_of_a_model_are_not_restored_empty(project: Repository) -> None:
    lock, weights = project.lock(), project.path / "models/weak/weights.safetensors"
    content = weights.read_bytes()
    damage(object_of(lockfile.md5(weights), project.path / ".dvc/cache"))
    shutil.rmtree(weights.parent)
    output = project.run("mnist", "repro")
    assert outcomes(output)["train@weak"] == "ran"
    assert "damaged" in output
    assert (weights.read_bytes(), project.lock()) == (content, lock)


@pytest.mark.parametrize("of", ["hashes", "links"])
def test_damaged_notes_of_dvcs_are_named(shell: Project, of: str) -> None:
    shell.write(a=COPY)
    shell.run()
    for database in Path(".site").glob(f"repo/*/{of}/**/cache.db*"):
        database.write_bytes(b"\xff" * 4096)
    shutil.rmtree("a")
    with pytest.raises(PipelineError, match=r"notes .*: file is not a database; .*delete .*\.site/repo, or"):
        shell.run()
    shutil.rmtree(".site/repo")
    assert shell.run() == []


def test_what_is_no_entry_of_the_run_cache_disturbs_nobody(shell: Project) -> None:
    shell.write(a=COPY)
    shell.run()
    runs = Path(".dvc/cache/runs")
    folders = [runs, *runs.glob("*"), *runs.glob("*/*")]
    for folder in (*folders, runs / "00" / ("0" * 64)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\xff\xfe")
    shutil.rmtree("a")
    Path("dvc.lock").unlink()
    assert shell.run() == []
    assert all((folder / ".DS_Store").exists() for folder in folders)
    for entry in runs.glob("*/*/[0-9a-f]*"):
        entry.unlink()
    Path("dvc.lock").unlink()
    assert shell.run() == ["a"]


@pytest.mark.parametrize(
    ("whole", "turned"),
    [(b"path: a\n", b"path: c\n"), (b".dir", b".dis"), (b"outs", b"ouus"), (b"cmd", b"\xe3md"), (b"deps:", b"{eps:")],
)
@pytest.mark.parametrize("known", ["dvc.lock", "the run cache alone"])
def test_a_damaged_entry_of_the_run_cache_is_dropped_and_made_again(
    shell: Project, capsys: pytest.CaptureFixture[str], whole: bytes, turned: bytes, known: str
) -> None:
    shell.write(a=COPY)
    shell.run()
    (entry,) = Path(".dvc/cache/runs").glob("*/*/*")
    entry.with_name(".DS_Store").write_bytes(b"\0\0\0\1Bud1\xff\xfe")
    lock, content = Path("dvc.lock").read_bytes(), entry.read_bytes()
    damaged = content.replace(whole, turned, 1)
    assert damaged != content
    entry.write_bytes(damaged)
    shutil.rmtree("a")
    if known != "dvc.lock":
        Path("dvc.lock").unlink()
    assert shell.run() == (["a"] if known != "dvc.lock" else [])
    assert f"{entry.name}: damaged, so it was deleted from DVC's run cache" in capsys.readouterr().out
    assert (Path("dvc.lock").read_bytes(), entry.read_bytes()) == (lock, content)
    assert {path.name for path in entry.parent.iterdir()} == {entry.name, ".DS_Store"}
    shutil.rmtree("a")
    Path("dvc.lock").unlink()
    assert shell.run() == []


def test_a_lock_that_names_outputs_of_another_machine_hides_no_run(shell: Project) -> None:
    shell.write(a=COPY)
    shell.run()
    lock = Path("dvc.lock").read_bytes()
    Path("dvc.lock").write_bytes(lock.replace(lockfile.md5(Path("a")).encode(), b"0" * 32 + b".dir"))
    assert shell.run() == []
    assert (shell.logged(), Path("dvc.lock").read_bytes()) == (["ran"], lock)


def test_a_newer_run_that_is_of_no_use_here_hides_no_older_one(shell: Project) -> None:
    """As DVC brings it from a machine with another arithmetic, together with its dvc.lock."""
    shell.write(a=COPY)
    shell.run()
    lock, made = Path("dvc.lock").read_bytes(), Path("a/one")
    made.unlink()
    made.write_text("other\n", encoding="utf-8")
    with Repo() as repo:
        repo.commit("a", force=True)
    assert Path("dvc.lock").read_bytes() != lock
    for _ in range(2):
        shutil.rmtree("a")
        assert repro.repro(1, {}, lambda _: made.read_text("utf-8") == "content\n") == {}
        assert (shell.logged(), Path("dvc.lock").read_bytes()) == (["ran"], lock)

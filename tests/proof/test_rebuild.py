"""A commit rebuilt in a clean clone: from nothing, touching nothing else, leaving nothing, whatever happens."""

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.commits import git
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_json
from mnist_pipeline.proof import rebuild
from tests.repository import Repository, environment, outcomes


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.mark.long
def test_every_stage_is_executed_in_the_clone_and_nothing_else_is_touched(
    project: Repository, built: Path, temporary: Path
) -> None:
    """Though a run cache that all clones share would restore them, MLflow has another store, and files have changes."""
    write_json(project.path / paths.RECORDED, {"machine": machine.describe(), "core_seconds": {}})
    project.run("dvc", "cache", "dir", "--project", str(built / ".dvc" / "cache"))
    project.commit("Recorded, and one cache for all")
    (project.path / "stages" / "report.py").write_text("broken", encoding="utf-8")
    store = temporary.parent / "store.db"
    before = _files(project.path), _files(built)
    said = project.run(
        "mnist", "verify-repro", TMPDIR=str(temporary), MLFLOW_TRACKING_URI=f"sqlite:///{store}", DVC_ROOT=str(built)
    )
    assert set(outcomes(said).values()) == {"ran"}
    assert set(outcomes(said)) == set(outcomes((built / "output.txt").read_text(encoding="utf-8")))
    assert "1 file here has uncommitted changes; it is the commit that is checked, without them" in said
    assert "45 of 45 files have the md5 that dvc.lock gives them" in said
    assert "reproduced: every bit is the committed one" in said
    assert list(temporary.iterdir()) == []
    assert not store.exists()
    assert (_files(project.path), _files(built)) == before


@pytest.mark.long
def test_some_stages_are_rebuilt_with_what_they_need(project: Repository, temporary: Path) -> None:
    """Of trainings whose names are not those of recipes, as a study may have them."""
    graph = project.path / "dvc.yaml"
    named = graph.read_text(encoding="utf-8").replace("${models}", "${trainings}").replace("models.${key}", "models")
    own = "vars: [{trainings: {plain: {network: mlp_28}, weak: {network: mlp_28}}}]\n"
    graph.write_text(f"{own}{named}", encoding="utf-8")
    project.run("mnist", "repro")
    project.commit("Trainings of their own")
    said = project.run("mnist", "verify-repro", "--only", "*@weak", TMPDIR=str(temporary))
    assert set(outcomes(said)) == {"download", "verify", "train@weak", "evaluate@weak"}
    assert "each of these stages was executed in a clean clone" in said
    assert "reproduced: every bit is the committed one" in said


def _files(folder: Path) -> set[Path]:
    """All but what any question to Git and DVC leaves."""
    return {path for path in folder.rglob("*") if not path.is_relative_to(folder / ".dvc" / "tmp")}


def test_interrupted_twice_it_ends_the_running_stage_and_leaves_nothing(project: Repository, temporary: Path) -> None:
    """Though the stage would run for ever and only this command, not its children, is told."""
    stage = project.path / "stages" / "download.py"
    stage.write_text("import time\nprint('waiting', flush=True)\ntime.sleep(1000)\n", encoding="utf-8")
    project.commit("A stage that hangs")
    running = subprocess.Popen(
        ["mnist", "verify-repro"],
        cwd=project.path,
        env=environment(TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _wait_for(lambda: any("waiting" in log.read_text("utf-8") for log in temporary.glob("*/clone/.logs/download.log")))
    inside = _processes_in(temporary)
    assert len(inside) >= 2
    for number in (signal.SIGINT, signal.SIGTERM):
        running.send_signal(number)
        time.sleep(0.05)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 130  # as shells know Ctrl-C
    assert "Traceback" not in output
    assert list(temporary.iterdir()) == []
    assert not any(Path(f"/proc/{process}").exists() for process in inside)


def test_a_stage_that_fails_is_shown_and_the_clone_goes(project: Repository, temporary: Path) -> None:
    (project.path / "stages" / "download.py").write_text("raise SystemExit('error: no way')", encoding="utf-8")
    project.commit("A stage that fails")
    said = project.run("mnist", "verify-repro", code=1, TMPDIR=str(temporary))
    assert "error: no way" in said
    assert "its rebuild failed; what the stage printed is above" in said
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []


def _wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen within a minute")


def _processes_in(folder: Path) -> list[str]:
    """The ids of the processes whose working directory is below a folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # not ours, or gone
            if link.readlink().is_relative_to(folder):
                found.append(link.parent.name)
    return found


def test_a_commit_that_no_branch_leads_to_is_cloned_also_from_a_shallow_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Repository(tmp_path / "source")
    (source.path / "inner").mkdir(parents=True)
    source.run("git", "init", "--quiet", "--initial-branch", "main")
    for text in ("first", "second"):
        (source.path / "inner" / "file.txt").write_text(text, encoding="utf-8")
        source.commit(text)
    lost = source.run("git", "rev-parse", "HEAD").strip()
    source.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    source.run("git", "clone", "--quiet", "--depth", "1", f"file://{source.path}", str(tmp_path / "shallow"))
    for name, revision, text in (("source", lost, "second"), ("shallow", "HEAD", "first")):
        monkeypatch.chdir(tmp_path / name / "inner")
        folder = rebuild.clone(git.commit_of(revision), tmp_path / f"clone of {name}")
        assert folder == tmp_path / f"clone of {name}" / "inner"
        assert (folder / "file.txt").read_text(encoding="utf-8") == text


def test_a_stage_that_did_not_run_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages: {verify: {cmd: x}, report: {cmd: y}}\n", encoding="utf-8")
    write_json(tmp_path / paths.RECORDED, {"machine": {}, "core_seconds": {"verify": 1.0, "report": 2.0}})
    rebuild.check_executed(tmp_path, ["verify"])
    with pytest.raises(PipelineError, match=r"^train@plain: expected to run in the clone, but did not"):
        rebuild.check_executed(tmp_path, ["verify", "train@plain"])
    write_json(tmp_path / paths.RECORDED, {"machine": {}, "core_seconds": {"verify": 1.0}})
    with pytest.raises(PipelineError, match=r"^report: expected to run in the clone, but did not"):
        rebuild.check_executed(tmp_path, [])


def test_a_hook_that_names_its_repository_does_not_lead_the_clone_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Repository(tmp_path / "source")
    source.path.mkdir()
    source.run("git", "init", "--quiet", "--initial-branch", "main")
    for text in ("first", "second"):
        (source.path / "file.txt").write_text(text, encoding="utf-8")
        source.commit(text)
    index = (source.path / ".git" / "index").read_bytes()
    monkeypatch.chdir(source.path)
    monkeypatch.setenv("GIT_DIR", str(source.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(source.path / ".git" / "index"))
    folder = rebuild.clone(git.commit_of("HEAD~1"), tmp_path / "clone")
    assert (folder / "file.txt").read_text(encoding="utf-8") == "first"
    assert (source.path / ".git" / "HEAD").read_text(encoding="utf-8") == "ref: refs/heads/main\n"
    assert (source.path / ".git" / "index").read_bytes() == index

"""Who else is at work here is waited for, by name, and nothing of a training is lost meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from dvc.lock import make_lock
from dvc.repo import Repo

from mnist_pipeline.core import locks
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline import dvc_program
from mnist_pipeline.pipeline.repro import Pipeline
from tests.pipeline.conftest import Project
from tests.pipeline.test_dvc_locks import ALIVE, dead, write
from tests.repository import Repository, environment, outcomes, quick_environment

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep")  # of a package of DVC's
RUN = "from mnist_pipeline.pipeline import repro; repro.repro(1, {}, lambda _: True)"
SWEEP = ("mnist", "sweep", "--seeds", "1", "--models", "weak")
HOLD = """
import sys, time
from dvc.repo import Repo
from dvc.lock import make_lock
repo = Repo()
with repo.lock:
    open("held", "w").close()
    with make_lock(".dvc/tmp/rwlock.lock", ".dvc/tmp", hardlink_lock=repo.config["core"].get("hardlink_lock", False)):
        time.sleep(5)
    time.sleep(1)
with make_lock(".dvc/tmp/rwlock.lock", ".dvc/tmp", hardlink_lock=repo.config["core"].get("hardlink_lock", False)):
    time.sleep(6)
"""  # each for longer than DVC itself would wait


def wait_for(condition: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 60, what
        time.sleep(0.05)


@contextmanager
def started(
    folder: Path, *command: str, variables: Callable[[], dict[str, str]] = environment
) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], str]]]:
    """A command beside the test, and what it has printed so far; killed if the test ends before it."""
    log = folder / f"said-{time.monotonic_ns()}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=variables(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process, lambda: log.read_text("utf-8")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.unlink()


def configure(hard: bool) -> None:
    """Whether DVC locks by hard links."""
    with Repo() as repo, repo.config.edit() as config:
        config["core"]["hardlink_lock"] = hard


def forks(runner: int) -> list[psutil.Process]:
    """The stages that run: children of the process that forks, which is a child of the runner and stays."""
    return [one for one in psutil.Process(runner).children(recursive=True) if one.ppid() != runner]


@pytest.mark.parametrize("hard", [False, True], ids=["flock", "hardlink_lock"])
def test_a_command_that_holds_dvcs_locks_costs_no_stage(
    shell: Project, capsys: pytest.CaptureFixture[str], hard: bool
) -> None:
    configure(hard)
    Path("hold.py").write_text(HOLD, encoding="utf-8")
    command = f"{sys.executable} hold.py & while [ ! -e held ]; do sleep 0.1; done; cp source a"
    shell.write(a={"cmd": command, "deps": ["source"], "outs": ["a"]})
    assert shell.run() == ["a"]
    said = capsys.readouterr().out
    assert "waiting for " in said
    assert ("held by a process that it does not name" if hard else f": {sys.executable} hold.py") in said
    assert shell.run() == []


@pytest.mark.parametrize("hard", [False, True], ids=["flock", "hardlink_lock"])
def test_a_stage_gives_its_outputs_back_once_dvcs_list_is_free(
    shell: Project, capsys: pytest.CaptureFixture[str], hard: bool
) -> None:
    configure(hard)
    shell.write(a={"cmd": "cp source a", "deps": ["source"], "outs": ["a"]})
    noted = Path(".dvc/tmp/rwlock").resolve()
    with Repo() as repo:
        pipeline = Pipeline(repo, lambda _: True)
        pipeline._begin("a")
        assert list(json.loads(noted.read_bytes())["write"]) == [str(Path("a").resolve())]
        lock = make_lock(f"{noted}.lock", repo.tmp_dir, hardlink_lock=hard)
        lock.lock()
        threading.Timer(5, lock.unlock).start()  # DVC gives up after three seconds
        pipeline._release("a")
    assert "waiting for " in capsys.readouterr().out
    assert not json.loads(noted.read_bytes()).get("write")


def test_the_program_dvc_is_asked_again_until_its_lock_is_free(
    shell: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.write(a={"cmd": "cp source a", "deps": ["source"], "outs": ["a"]})
    with started(tmp_path, sys.executable, "-c", HOLD) as (other, _):
        wait_for(Path("held").exists, "DVC's lock is held")
        dvc_program.run("repro")
        assert f"waiting for {tmp_path}/.dvc/tmp/lock, held by process {other.pid}: " in capsys.readouterr().err
    assert Path("a").exists()


@pytest.mark.usefixtures("shell")
def test_the_program_dvc_is_that_of_the_environment_whatever_lies_here() -> None:
    Path("dvc.py").write_text("open('marker', 'w').close()\n", encoding="utf-8")
    assert dvc_program.cache() == Path(dvc_program.run("cache", "dir"))
    assert not Path("marker").exists()
    for damage in ("cache = 5\n", "[cache\n"):
        Path(".dvc/config.local").write_text(damage, encoding="utf-8")
        with pytest.raises(PipelineError, match=r"DVC: .*; mend "):
            dvc_program.cache()


def test_whom_a_stage_waits_for_is_said_while_it_waits_and_once(shell: Project, tmp_path: Path) -> None:
    """As `publish` says who holds the lock of the store; what it said in an earlier run is not said again."""
    Path(".logs").mkdir()
    Path(".logs/a.log").write_text("note: of an earlier run\n", encoding="utf-8")
    command = "echo note: waiting for b; while [ ! -e b ]; do sleep 0.1; done; echo note: done; cp source a"
    shell.write(a={"cmd": command, "deps": ["source"], "outs": ["a"]})
    with started(tmp_path, sys.executable, "-c", RUN) as (runner, said):
        wait_for(lambda: "note: waiting for b\n" in said(), "it says for whom it waits")
        Path("b").touch()
        assert runner.wait(60) == 0
        assert [line for line in said().splitlines() if "note" in line] == ["note: waiting for b", "note: done"]


def test_two_runs_of_one_pipeline_come_one_after_the_other(shell: Project, tmp_path: Path) -> None:
    shell.write(a={"cmd": "echo ran >>log; sleep 2; cp source a", "deps": ["source"], "outs": ["a"]})
    with started(tmp_path, sys.executable, "-c", RUN) as (first, _):
        wait_for(lambda: shell.logged() == ["ran"], "the first run began")
        with started(tmp_path, sys.executable, "-c", RUN) as (second, said):
            assert (first.wait(60), second.wait(60)) == (0, 0)
            assert f"waiting for .logs/lock, held by process {first.pid}: {sys.executable} -c from" in said()
            assert "unchanged" in said()
    assert shell.logged() == ["ran"]


def test_a_second_sweep_waits_for_the_first(project: Repository) -> None:
    with started(project.path, *SWEEP, variables=quick_environment) as (sweep, said):
        with locks.locked(project.path / ".sweep/lock"):
            wait_for(lambda: "waiting for" in said(), "the sweep waits")
            assert f"waiting for .sweep/lock, held by process {os.getpid()}: " in said()
            assert not (project.path / ".sweep/dvc.yaml").exists()
        assert sweep.wait(120) == 0
        assert outcomes(said())["train-1@weak"] == "restored"


def test_a_sweep_drops_what_a_killed_dvc_left(project: Repository) -> None:
    """The number of the process has another one by now, for which DVC alone would wait."""
    noted = project.path / ".dvc/tmp/rwlock"
    noted.parent.mkdir()
    write(noted, {"write": {str(project.path / "data/idx"): ALIVE}})
    os.utime(noted, (0, 0))
    with started(project.path, *SWEEP, variables=quick_environment) as (sweep, said):
        assert sweep.wait(120) == 0, said()
        assert outcomes(said())["train-1@weak"] == "restored"


def test_the_list_of_a_shared_file_system_may_be_another_hosts(shell: Project, tmp_path: Path) -> None:
    """There a process number says nothing: what would be passed over here is waited for."""
    configure(hard=True)
    shell.write(a={"cmd": "cp source a", "deps": ["source"], "outs": ["a"]})
    noted, theirs = Path(".dvc/tmp/rwlock"), dead()
    noted.parent.mkdir(exist_ok=True)
    write(noted, {"write": {str(tmp_path / "a"): theirs}})
    before = noted.read_bytes()
    with started(tmp_path, sys.executable, "-c", RUN) as (process, said):
        wait_for(lambda: "waiting for" in said(), "it waits")
        assert f"waiting for {tmp_path}/a, used by process {theirs['pid']} of another host: dvc repro" in said()
        assert noted.read_bytes() == before
        noted.unlink()
        assert process.wait(60) == 0


def test_a_half_written_list_of_a_shared_file_system_is_not_deleted(shell: Project, tmp_path: Path) -> None:
    """Who is alive on another host may have stood in it."""
    configure(hard=True)
    shell.write(a={"cmd": "cp source a", "deps": ["source"], "outs": ["a"]})
    noted = Path(".dvc/tmp/rwlock")
    noted.parent.mkdir(exist_ok=True)
    noted.write_bytes(b'{"write"')
    with started(tmp_path, sys.executable, "-c", RUN) as (process, said):
        wait_for(lambda: "waiting for" in said(), "it waits")
        assert f"waiting for {tmp_path}/.dvc/tmp/rwlock: half written; once no DVC command" in said()
        assert noted.read_bytes() == b'{"write"'
        noted.unlink()
        assert process.wait(60) == 0


def test_what_dvc_left_before_it_locked_by_hard_links_is_named_each_minute(
    shell: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number in it may be that of nobody, or by now of this process."""
    shell.write(a={"cmd": "cp source a", "deps": ["source"], "outs": ["a"]})
    shell.run()
    configure(hard=True)
    monkeypatch.setattr(dvc_program, "REMINDER", 0.0)
    left = [Path(".dvc/tmp", name).resolve() for name in ("lock", "rwlock.lock")]
    left[0].write_text(f" {dead()['pid']}\n", encoding="utf-8")
    assert int(left[1].read_text("utf-8")) == os.getpid()
    for file in left:
        threading.Timer(12, file.unlink).start()
    assert shell.run() == []
    said = capsys.readouterr().out
    expected = f"waiting for {left[0]} and {left[1]}, which DVC left from before `core.hardlink_lock` was set; once no"
    assert said.count(expected) >= 2, said


def test_a_kill_between_training_and_booking_costs_no_training(project: Repository) -> None:
    """DVC's lock is held from the moment on in which the training runs, so that its result can't be booked."""
    changed = project.params()
    changed["models"]["weak"]["optimizer"]["learning_rate"] = 2e-4
    project.write_params(changed)
    shutil.rmtree(project.path / ".logs")
    log = project.path / ".logs/train@weak.log"
    with Repo(str(project.path)) as repo, started(project.path, "mnist", "repro") as (runner, said):
        wait_for(log.exists, "the training began")
        with make_lock(repo.lock.lockfile, wait=True):
            written = project.path / "models/weak/model.json"
            wait_for(lambda: written.exists() and not forks(runner.pid), "the training has ended")
            wait_for(lambda: f"held by process {os.getpid()}: " in said(), "it waits")
            os.killpg(runner.pid, signal.SIGKILL)
            runner.wait()
    output = project.run("mnist", "repro")
    assert outcomes(output)["train@weak"] == "ran"
    assert "note: weak goes on after epoch 1: .resume/weak-" in output
    assert list(project.path.glob(".resume/*")) == []

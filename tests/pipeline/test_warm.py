"""Forks of a process with all libraries loaded: they do what the same command does afresh, and end as it does."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import files, params, yaml_reader
from mnist_pipeline.pipeline.commands import NOTE, Commands, Ran, Work
from mnist_pipeline.pipeline.warm import Warm
from tests.faults.killed import seconds_until_all_ended
from tests.repository import ROOT, Repository, environment

RUNTIME = params.Runtime(device="cpu", threads=1)
pytestmark = pytest.mark.skipif(portable.obstacle(RUNTIME) is not None, reason="needs portable arithmetic")

SURROUNDINGS = """
import gc, os, random, signal, sys, threading
print("on standard error, at once", file=sys.stderr)
mask = os.umask(0)
handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)]
print(sys.argv, sys.path, __name__, __file__, sys.executable, os.getcwd(), os.getpgrp(), mask, gc.isenabled())
print(handlers, signal.pthread_sigmask(signal.SIG_BLOCK, []), threading.active_count())
print(sys.modules["__main__"].gc is gc, sorted(os.listdir("/proc/self/fd")), sys.stdout.line_buffering)
print(os.environ["MNIST_WORD"], sys.flags)
print([name for name in sys.modules if name.startswith("mnist_pipeline")])
"""
ENDS = [
    "import sys; sys.exit(3)",
    "import sys; print('first'); sys.exit('a message')",
    "import atexit; atexit.register(print, 'at exit'); print('out')",
    "import os; os._exit(7)",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
]
LOADED = "import os, sys; print('torch' in sys.modules, os.environ.get('MKL_CBWR'))"
ENDLESS = "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(1000)"


class Place:
    """A folder for scripts, which run there by `Commands`, as forks if it is given a process to fork."""

    def __init__(self, folder: Path, warm: Warm | None) -> None:
        self.folder, self.commands = folder, Commands(folder / "logs", warm)
        self.write(RUNTIME)
        self.afresh = Commands(folder / "fresh")

    def write(self, runtime: params.Runtime) -> None:
        """Its params.yaml."""
        content = yaml_reader.read(ROOT / "params.yaml") | {"runtime": runtime.model_dump()}
        files.write_json(self.folder / "params.yaml", content)

    def work(self, code: str, name: str = "stage", python: str = "exec python3", **variables: str) -> Work:
        (self.folder / f"{name}.py").write_text(code, encoding="utf-8")
        command = ["/bin/sh", "-c", f"{python} {name}.py 'two words' 2"]
        return Work(name, command, self.folder, environment(MNIST_WORD=name, **variables))

    def run(self, code: str) -> Ran:
        return self.commands.run(self.work(code))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("warm") / "forks.log") as warm:
        yield warm


@pytest.fixture
def place(tmp_path: Path, loaded: Warm) -> Place:
    return Place(tmp_path, loaded)


def test_a_fork_finds_what_a_fresh_process_finds_and_has_the_libraries(place: Place) -> None:
    work = place.work(SURROUNDINGS)
    forked, fresh = place.commands.run(work), place.afresh.run(work)
    assert (forked.code, forked.output) == (0, fresh.output)
    assert place.run(LOADED).output == "True COMPATIBLE"


@pytest.mark.parametrize("code", ENDS)
def test_a_fork_ends_as_a_fresh_process_does(place: Place, code: str) -> None:
    work = place.work(code)
    forked, fresh = place.commands.run(work), place.afresh.run(work)
    assert (forked.code, forked.output) == (fresh.code, fresh.output)


def test_an_error_shows_where_it_was_raised(place: Place) -> None:
    ran = place.run("def fail():\n    raise ValueError('wrong')\nfail()")
    assert ran.code == 1
    assert f'File "{place.folder}/stage.py", line 3, in <module>' in ran.output
    assert ran.output.endswith("ValueError: wrong")


def test_forks_run_side_by_side_and_each_counts_its_own_processor_time(place: Place) -> None:
    codes = {f"busy{seconds}": f"import time\nwhile time.process_time() < {seconds}: pass" for seconds in (0, 1)}
    codes |= {f"quick{number}": f"print({number})" for number in range(6)}
    with ThreadPoolExecutor(len(codes)) as pool:
        ran = dict(
            zip(codes, pool.map(place.commands.run, [place.work(codes[name], name) for name in codes]), strict=True)
        )
    assert [one.output for one in ran.values()] == ["", "", *map(str, range(6))]
    assert ran["busy1"].core_seconds > 0.9 > ran["busy0"].core_seconds


def test_forks_that_end_at_once_are_all_told_of(place: Place) -> None:
    works = [place.work(f"print({number})", f"pair{number}") for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            assert [one.output for one in pool.map(place.commands.run, works)] == ["0", "1"]
    assert place.run(LOADED).output == "True COMPATIBLE"


def test_the_end_comes_for_forks(place: Place) -> None:
    with ThreadPoolExecutor(1) as pool:
        ran = pool.submit(place.run, ENDLESS)
        _wait_for(place.folder / "ready")
        place.commands.end()
        assert ran.result().code == -signal.SIGTERM
    assert Place(place.folder, place.commands.warm).run(LOADED).output == "True COMPATIBLE", "it has ended only forks"


@pytest.mark.parametrize(
    "python", ["exec python", "python3", "exec python3 -u", "cd . && exec python3", "A=b exec python3"]
)
def test_other_commands_start_afresh(place: Place, python: str) -> None:
    ran = place.commands.run(place.work(LOADED, python=python))
    assert ran.output.startswith("False")


def test_another_python3_and_another_arithmetic_start_afresh(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "bin" / "python3"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho another\n", encoding="utf-8")
    other.chmod(0o755)
    path = f"{other.parent}{os.pathsep}{os.environ['PATH']}"
    assert place.commands.run(place.work(LOADED, PATH=path)).output == "another"
    place.write(RUNTIME.model_copy(update={"arithmetic": "native"}))
    assert place.run(LOADED).output.startswith("False")


def test_when_the_process_to_fork_is_killed_its_fork_fails_and_the_next_starts_afresh(tmp_path: Path) -> None:
    with Warm(tmp_path / "forks.log") as warm, ThreadPoolExecutor(1) as pool:
        place = Place(tmp_path, warm)
        ran = pool.submit(place.run, f"import os; print(os.getpid(), flush=True); {ENDLESS}")
        _wait_for(tmp_path / "ready")
        assert warm.process is not None
        warm.process.kill()
        pid, _, said = ran.result().output.partition("\n")
        os.kill(int(pid), signal.SIGKILL)  # stages end by themselves, as bootstrap.py has it
        assert ran.result().code == -signal.SIGKILL
        assert said == "error: the process that this stage was forked from has ended; .logs/forks.log may say why"
        assert [line[:5] for line in place.run(LOADED).output.splitlines()] == [NOTE[:5], "False"]


def test_what_can_not_be_loaded_is_said(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch today')", encoding="utf-8")
    with Warm(tmp_path / "forks.log") as warm:
        place = Place(tmp_path, warm)
        work = place.work("print('done')", PYTHONPATH=str(tmp_path))
        assert "ImportError: no torch today\ndone" in place.commands.run(work).output
        assert place.commands.run(work).output == "done"


def test_nothing_is_left_of_a_killed_runner(project: Repository) -> None:
    stage = "import bootstrap, pathlib, time; pathlib.Path('ready').touch(); time.sleep(1000)"
    (project.path / "stages" / "download.py").write_text(stage, encoding="utf-8")
    command = [sys.executable, "-c", "from mnist_pipeline.cli import main; main()", "repro"]
    with subprocess.Popen(command, cwd=project.path, env=environment(), start_new_session=True) as running:
        _wait_for(project.path / "ready")
        fork = next(one for one in psutil.Process(running.pid).children(recursive=True) if one.name() == "download")
        assert fork.ppid() != running.pid
        assert os.getpgid(fork.pid) == running.pid
        running.kill()
    seconds_until_all_ended(project.path)


def _wait_for(path: Path) -> None:
    patience = threading.Event()
    began = time.monotonic()
    while not path.exists():
        assert time.monotonic() - began < 120, f"{path} never came"
        patience.wait(0.05)

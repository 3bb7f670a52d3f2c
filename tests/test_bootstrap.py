"""What every stage imports first: with it, a stage ends when the process that started it was killed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.repository import ROOT, environment

IMPORT = f"import sys, time; sys.path.insert(0, {str(ROOT / 'stages')!r}); import bootstrap; "
TRAINING = IMPORT + "print('started', flush=True); time.sleep(600)"
LATE = "import sys; print('started', flush=True); sys.stdin.read(); " + IMPORT + "time.sleep(600)"
RUNNER = """
import os, subprocess, sys
command = ["sh", "-c", 'exec "$@"', "sh", sys.executable, "-c", sys.argv[1]]
reading, writing = os.pipe()
subprocess.run(command, stdin=reading, env=os.environ | {"DVC_STAGE": "train@small"}, check=False)
"""


@contextmanager
def runner(stage: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has started a stage, as DVC does, and waits for it; both write to one pipe."""
    command = [sys.executable, "-c", RUNNER, stage]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "started\n"
        yield running


@pytest.mark.parametrize("stage", [TRAINING, LATE])
def test_a_stage_ends_when_its_runner_is_killed(stage: str) -> None:
    """Also one that had not even looked for its runner; only when the stage is gone, too, does its pipe end."""
    with runner(stage) as running:
        running.kill()
        rest, _ = running.communicate(timeout=60)
    assert (rest, running.returncode) == ("", -signal.SIGKILL)


@pytest.mark.parametrize(("variables", "threads"), [({}, 1), ({"DVC_STAGE": "train@small"}, 2)])
def test_a_stage_that_was_started_by_hand_watches_nobody(variables: dict[str, str], threads: int) -> None:
    command = [sys.executable, "-c", IMPORT + "import threading; print(threading.active_count())"]
    done = subprocess.run(command, env=environment(**variables), capture_output=True, text=True, check=True)
    assert int(done.stdout) == threads


def test_garbage_is_collected_while_a_stage_works() -> None:
    assert _worked("import gc", "print(gc.isenabled(), gc.get_freeze_count() > 0)") == "True True\n"


def test_a_stage_that_is_done_cleans_up_but_takes_nothing_apart() -> None:
    """To take torch apart costs a fifth of a second; threads, and what is registered for the end, are waited for."""
    late = "import atexit, threading; atexit.register(print, 'cleaned up'); kept = type('Kept', (), {})()"
    late += "; kept.end = type('End', (), {'__del__': lambda _: print('taken apart')})()"
    work = "threading.Thread(target=lambda: (time.sleep(0.2), print('written'))).start(); print('worked')"
    assert _worked(late, work) == "worked\nwritten\ncleaned up\n"


def test_a_stage_without_standard_output_is_done_all_the_same() -> None:
    code = f"{IMPORT}\nwith bootstrap.stage(): print('worked')"
    command = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _worked(before: str, work: str) -> str:
    """What a stage prints that does this work."""
    command = [sys.executable, "-c", f"{IMPORT}{before}\nwith bootstrap.stage(): {work}"]
    return subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=True).stdout

"""Kill a command at a moment that depends on what it has done so far, and see who is left."""

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.repository import Repository, environment

PATIENCE = 60.0  # seconds for what was started to end, also on a busy machine


@dataclass(frozen=True)
class Moment:
    """So many seconds after so many commands of stages have ended; `group`: with all it started, else it alone."""

    ended: int
    seconds: float
    group: bool


def moment(chance: random.Random, group: bool) -> Moment:
    """Half of all moments fall right behind the end of a stage, while DVC hashes, caches and writes dvc.lock."""
    if chance.random() < 0.5:
        return Moment(chance.randint(1, 3), chance.uniform(0.0, 0.4), group)
    return Moment(chance.randint(0, 1), chance.uniform(0.0, 8.0), group)


def run_and_kill(repository: Repository, command: list[str], when: Moment, **changes: str) -> bool:
    """Run a command and kill it then; False when it had ended before, which has to be with success."""
    log = repository.path / ".dvc" / "tmp" / "killed.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=repository.path,
            env=environment(**changes),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _wait(process, when)
    if process.poll() is None:
        (os.killpg if when.group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode in (0, -signal.SIGKILL), log.read_text(encoding="utf-8")
    return process.returncode != 0


def seconds_until_all_ended(folder: Path) -> float:
    """How long anything still ran in this folder; an assertion names what never ended."""
    began = time.monotonic()
    while found := _running_in(folder):
        assert time.monotonic() - began < PATIENCE, f"still running: {found}"
        time.sleep(0.05)
    return time.monotonic() - began


def _wait(process: "subprocess.Popen[bytes]", when: Moment) -> None:
    started: set[int] = set()
    while process.poll() is None:
        running = _stages_of(process.pid)
        started |= running
        if len(started - running) >= when.ended:
            time.sleep(when.seconds)
            return
        time.sleep(0.01)


def _stages_of(runner: int) -> set[int]:
    try:
        children = psutil.Process(runner).children(recursive=True)
        return {child.pid for child in children if _is_stage(child, runner)}
    except psutil.Error:  # one of them ended meanwhile
        return set()


def _is_stage(process: psutil.Process, runner: int) -> bool:
    """Its own process, or a fork of the runner's child that forks."""
    command = " ".join(process.cmdline())
    return "stages/" in command or ("pipeline/forks.py" in command and process.ppid() != runner)


def _running_in(folder: Path) -> list[str]:
    processes = list(psutil.process_iter(["cwd", "cmdline"]))
    return [
        " ".join(process.info["cmdline"] or [])
        for process in processes
        if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(folder)
    ]

"""Run the commands of stages: their output in a file each, their processor time measured, all ended on request."""

import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from mnist_pipeline.core.errors import refusal

if TYPE_CHECKING:
    from mnist_pipeline.pipeline.warm import Forked, Warm

REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOTE = "note: "  # begins what a stage wants to be read, though all may be well
ROOM = 1 << 14  # free bytes below which a disk counts as full


class Work(NamedTuple):
    """The command of a stage, the folder and the environment to run it in, and what it reads and writes.

    `inputs` are files with their md5, where DVC has one; `outputs` are files and folders that need not be there yet.
    """

    name: str
    command: Any
    folder: Path = Path()
    environment: dict[str, str] | None = None
    inputs: Mapping[Path, str] = {}
    outputs: Sequence[Path] = ()


class Ran(NamedTuple):
    """How a command ended: exit code, what it printed, seconds on the clock and of processor time, and where it ran."""

    code: int
    output: str
    seconds: float
    core_seconds: float
    node: str = ""


class Fresh:
    """A command that runs as a process of its own."""

    def __init__(self, work: Work, output: BinaryIO) -> None:
        self.process = subprocess.Popen(
            work.command, stdout=output, stderr=subprocess.STDOUT, cwd=work.folder, env=work.environment
        )

    def terminate(self) -> None:
        self.process.terminate()

    def wait(self) -> tuple[int, float]:
        """Exit code and core-seconds, once it has ended."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode, usage.ru_utime + usage.ru_stime


class Commands:
    """The commands that run now, as forks of `warm` where they can be; each writes to `<name>.log` in `logs`."""

    def __init__(self, logs: Path, warm: "Warm | None" = None) -> None:
        self.logs, self.warm = logs, warm
        self.running: set[Fresh | Forked] = set()
        self.begun: dict[str, Path] = {}  # the log of each command that began on this machine, by name
        self.noted: dict[str, int] = {}  # how many of its notes were handed over
        self.ended, self.lock = False, threading.Lock()

    def run(self, work: Work) -> Ran:
        """Run a command to its end. For any thread. Raises KeyboardInterrupt after `end`."""
        log = self.logs / f"{work.name}.log"
        self.logs.mkdir(exist_ok=True)
        request = self.warm.prepare(work) if self.warm else None
        began = time.perf_counter()
        with log.open("wb") as output, self.lock:
            if self.ended:
                raise KeyboardInterrupt
            forked = self.warm.fork(request, output) if self.warm and request else None
            process = forked or Fresh(work, output)
            self.running.add(process)
            self.begun[work.name] = log
        code, core_seconds = process.wait()
        self.running.remove(process)
        text, full = log.read_text(encoding="utf-8", errors="replace").rstrip(), os.strerror(errno.ENOSPC)
        if full not in text and shutil.disk_usage(log).free < ROOM:  # then its last words may have found no room
            text += f"\n{refusal(OSError(errno.ENOSPC, full, str(log)))}"
        return Ran(code, text, time.perf_counter() - began, core_seconds)

    def notes(self, name: str, output: str | None = None) -> list[str]:
        """Each note that a command has printed, once: of its whole output, or so far, if it runs on this machine."""
        if output is None and (log := self.begun.get(name)):
            output = log.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
        found = [line for line in (output or "").splitlines() if line.startswith(NOTE)]
        new, self.noted[name] = found[self.noted.get(name, 0) :], len(found)
        return new

    def end(self) -> None:
        """End the commands that run; no other one starts any more."""
        with self.lock:
            self.ended = True
        if self.warm:
            self.warm.end()
        for process in [*self.running]:
            process.terminate()


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, the first request to end that is not ignored becomes KeyboardInterrupt; further ones change nothing."""
    heeded = {number: handler for number in REQUESTS if (handler := signal.getsignal(number)) is not signal.SIG_IGN}

    def interrupt(*_: object) -> None:
        for number in heeded:
            signal.signal(number, lambda *_: None)  # not SIG_IGN: what is about to start would inherit that
        raise KeyboardInterrupt

    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)

"""Run the commands of stages: their output in a file each, their processor time measured, all ended by Ctrl-C."""

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_pipeline.core.errors import refusal

ROOM = 1 << 14  # bytes that are as good as none


@dataclass(frozen=True)
class Ran:
    """How a stage's command ended: exit code, what it printed, seconds on the clock and of processor time."""

    code: int
    output: str
    seconds: float
    core_seconds: float


class Commands:
    """The commands that run now, by name; each writes to `<name>.log` in the folder of logs."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, name: str, command: Any, **settings: Any) -> Ran:
        """Run a command to its end; `settings` go to Popen. May be called from several threads."""
        began, log = time.perf_counter(), self.logs / f"{name}.log"
        self.logs.mkdir(exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **settings)
            self.processes[name] = process
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        del self.processes[name]
        return Ran(process.returncode, _read(log), time.perf_counter() - began, usage.ru_utime + usage.ru_stime)

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Inside, Ctrl-C and SIGTERM end the running commands too. For the main thread."""

        def stop(*_: object) -> None:
            for process in list(self.processes.values()):
                process.terminate()
            raise KeyboardInterrupt

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _read(log: Path) -> str:
    """What a command printed; on a full disk its last words may have found no room."""
    text = log.read_text(encoding="utf-8", errors="replace").rstrip()
    full = os.strerror(errno.ENOSPC)
    if full not in text and shutil.disk_usage(log).free < ROOM:
        return f"{text}\n{refusal(OSError(errno.ENOSPC, full, str(log)))}"
    return text

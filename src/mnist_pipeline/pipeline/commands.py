"""Run the commands of stages: their output in a file each, their processor time measured, all ended together."""

import errno
import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_pipeline.core.errors import refusal

ROOM = 1 << 14  # free bytes below which a disk counts as full


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit code, what it printed, seconds on the clock and of processor time."""

    code: int
    output: str
    seconds: float
    core_seconds: float


class Commands:
    """The commands that run now; each writes to `<name>.log` in the folder of logs."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: set[subprocess.Popen[bytes]] = set()
        self.ended, self.lock = False, threading.Lock()

    def run(self, name: str, command: Any, **settings: Any) -> Ran:
        """Run a command to its end; `settings` go to Popen. For any thread. Raises KeyboardInterrupt after `end`."""
        began, log = time.perf_counter(), self.logs / f"{name}.log"
        self.logs.mkdir(exist_ok=True)
        with log.open("wb") as output, self.lock:
            if self.ended:
                raise KeyboardInterrupt
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **settings)
            self.running.add(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.running.remove(process)
        return Ran(process.returncode, _read(log), time.perf_counter() - began, usage.ru_utime + usage.ru_stime)

    def end(self) -> None:
        """End the commands that run; no other one starts any more."""
        with self.lock:
            self.ended = True
        for process in [*self.running]:
            process.terminate()


def _read(log: Path) -> str:
    """What a command printed; on a full disk its last words may have found no room."""
    text = log.read_text(encoding="utf-8", errors="replace").rstrip()
    full = os.strerror(errno.ENOSPC)
    if full not in text and shutil.disk_usage(log).free < ROOM:
        return f"{text}\n{refusal(OSError(errno.ENOSPC, full, str(log)))}"
    return text

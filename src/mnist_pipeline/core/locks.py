"""Locks between processes: nobody waits for one without saying for whom."""

import fcntl
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file, in which this process and machine are named; while another does, wait and say which."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for {holder(path) or path}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        print(os.getpid(), platform.node(), file=file, flush=True)
        yield


def holder(path: Path) -> str:
    """A lock's file and the process that holds it, in words; none when it is this one or is gone."""
    try:
        number, _, node = path.read_text(encoding="utf-8").strip().partition(" ")
        pid = int(number)
        if node not in ("", platform.node()):
            return f"{path}, held by process {pid} on {node}"
        return "" if pid == os.getpid() else f"{path}, held by process {pid}: {' '.join(psutil.Process(pid).cmdline())}"
    except ValueError:  # DVC's locks by hard links
        return f"{path}, held by a process that it does not name; if that was killed, delete the file"
    except (FileNotFoundError, psutil.Error):
        return ""

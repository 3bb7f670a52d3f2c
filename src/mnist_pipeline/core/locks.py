"""Locks between processes: nobody waits for one without saying for whom."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file, which keeps this process's number; while another one does, wait and say which."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for {holder(path) or path}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield


def holder(path: Path) -> str:
    """A lock's file and the process of this machine that holds it, in words; none when it is this one or is gone."""
    try:
        pid = int(path.read_text(encoding="utf-8"))
        return "" if pid == os.getpid() else f"{path}, held by process {pid}: {' '.join(psutil.Process(pid).cmdline())}"
    except ValueError:  # DVC's locks by hard links
        return f"{path}, held by a process that it does not name; if that was killed, delete the file"
    except (FileNotFoundError, psutil.Error):
        return ""

"""What a killed DVC leaves in its folder and does not bear the next time: it must block nobody.

The list of which process reads and writes which output: DVC itself passes over processes that are gone. It refuses a
file that a kill left half written, and it takes for alive a process that got the number of a dead one, as after a
restart of the machine or of a container. And an empty folder in the run cache.
"""

import json
from pathlib import Path
from typing import Any

import psutil

from mnist_pipeline.core.files import write_durably

CLOCK_SECONDS = 1.0  # how exactly the start of a process is known


def remove_empty_runs(run_cache: Path) -> None:
    """Delete what DVC makes before it writes an entry of the run cache, and can't read without one."""
    for folder in run_cache.glob("??/*"):
        if not any(folder.iterdir()):
            folder.rmdir()


def mend_rwlock(path: Path) -> None:
    """Delete what nobody alive can have noted; to be called while the lock of the list itself is held."""
    if not path.exists():
        return
    try:
        noted = json.loads(path.read_bytes())
    except ValueError:
        path.unlink()
        return
    kept = _of_the_living(noted, path.stat().st_mtime)
    if kept != noted:
        write_durably(path, json.dumps(kept).encode())


def _of_the_living(noted: dict[str, Any], written: float) -> dict[str, Any]:
    writers = {what: one for what, one in noted.get("write", {}).items() if _lived(one["pid"], written)}
    readers = {
        what: [one for one in several if _lived(one["pid"], written)] for what, several in noted.get("read", {}).items()
    }
    return {"write": writers, "read": {what: several for what, several in readers.items() if several}}


def _lived(pid: int, when: float) -> bool:
    """Whether the process of that number was there already when the list was written last."""
    try:
        return bool(psutil.Process(pid).create_time() <= when + CLOCK_SECONDS)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True

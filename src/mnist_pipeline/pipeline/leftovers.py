"""What a killed DVC leaves behind and would block the next one.

Its list of which process uses which output: it passes over processes that are gone, but refuses a list that was left
half written, and takes for alive a process that got the number of a dead one, as after a restart. And empty folders of
the run cache: DVC makes one before it writes an entry, and fails on a folder without any.
"""

import json
from itertools import chain
from pathlib import Path

import psutil
from dvc.lock import make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

CLOCK_SECONDS = 1.0  # how exactly the start of a process is known


def remove(repo: Repo) -> None:
    """Remove what would block, while DVC's own locks are held."""
    folder = Path(repo.tmp_dir)
    with make_lock(str(folder / RWLOCK_LOCK), repo.tmp_dir):
        remove_rwlock(folder / RWLOCK_FILE)
    with repo.lock:
        for run in Path(repo.stage_cache.cache_dir).glob("??/*"):
            if not any(run.iterdir()):
                run.rmdir()


def remove_rwlock(path: Path) -> None:
    """Delete the list if no process in it is still there; else DVC itself passes over those that are gone."""
    try:
        noted = json.loads(path.read_bytes())
        processes = [*noted.get("write", {}).values(), *chain(*noted.get("read", {}).values())]
    except FileNotFoundError:
        return
    except ValueError:
        processes = []
    if not any(_lived(process["pid"], path.stat().st_mtime) for process in processes):
        path.unlink()


def _lived(pid: int, when: float) -> bool:
    """Whether the process of that number was there already when the list was written last."""
    try:
        return bool(psutil.Process(pid).create_time() <= when + CLOCK_SECONDS)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True

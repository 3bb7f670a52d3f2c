"""DVC's list of which process uses which path, after a kill and on a file system that several hosts share.

DVC passes over processes that are gone. But it refuses a half-written list, takes for alive a process that got the
number of a dead one, and for gone one of another host. Where hosts may share disks, nobody is taken for gone here.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, _acquire_write, _check_blockers, _edit_rwlock, _release_write

from mnist_pipeline.pipeline import dvc_program

T = TypeVar("T")
CLOCK_SECONDS = 1.0  # how exactly the start of a process is known


def remove(repo: Repo) -> None:
    """Remove a list that would block, while DVC's own lock on it is held."""
    folder, shared = Path(repo.tmp_dir), is_shared(repo)
    with make_lock(str(folder / RWLOCK_LOCK), repo.tmp_dir, hardlink_lock=shared):
        remove_rwlock(folder / RWLOCK_FILE, shared)


def is_shared(repo: Repo) -> bool:
    """Whether DVC locks by hard links, as on a file system of several hosts."""
    return bool(repo.config["core"].get("hardlink_lock", False))


def remove_rwlock(path: Path, shared: bool = False) -> None:
    """Delete the list if it is damaged or nobody in it is still there. Raises LockError for a damaged, shared one."""
    noted = _noted(path)
    if noted is None and shared:
        raise LockError(f"{path}: half written; once no DVC command and no `mnist repro` runs on any host, delete it")
    if noted is None or not (shared or any(_lived(process["pid"], path.stat().st_mtime) for _, process in noted)):
        path.unlink(missing_ok=True)


def acquire(repo: Repo, stage: Any) -> None:
    """Enter the outputs of a stage as written by this process. Raises LockError while another one uses them."""
    outputs = [out.fs_path for out in stage.outs]
    with _edit_rwlock(repo.tmp_dir, repo.fs, is_shared(repo)) as noted:
        for mode in ("write", "read"):
            _check_blockers(repo.tmp_dir, noted, _me(), mode=mode, waiters=outputs)
        _acquire_write(noted, _me(), outputs)


def release(repo: Repo, stage: Any) -> None:
    """Take these entries back, as far as they are there; after a LockError it may be called again, unlike DVC's own."""
    with _edit_rwlock(repo.tmp_dir, repo.fs, is_shared(repo)) as noted:
        mine = [out.fs_path for out in stage.outs if noted["write"].get(out.fs_path) == _me()]
        _release_write(noted, _me(), mine)


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "cmd": " ".join(sys.argv)}


def check_hosts(repo: Repo, stage: Any) -> None:
    """Raise LockError if a process that may be another host's uses a path of this stage; DVC would pass over it."""
    path = Path(repo.tmp_dir) / RWLOCK_FILE
    mine = [item.fs_path for item in (*stage.deps, *stage.outs)] if is_shared(repo) else []
    for place, process in _noted(path) or []:
        if not psutil.pid_exists(process["pid"]) and any(repo.fs.overlaps(place, one) for one in mine):
            who = f"process {process['pid']} of another host: {process['cmd']}"
            raise LockError(f"{place}, used by {who}; if that was killed, delete {path}")


def patiently(pipeline: Any, call: Callable[..., T], *arguments: Any) -> T:
    """What a call returns that is repeated as long as another DVC command is in the way, which the pipeline says."""
    wait, repo = dvc_program.Wait(pipeline.say), pipeline.repo
    while True:
        try:
            return call(*arguments)
        except LockError as error:
            wait.once(dvc_program.in_the_way(str(error), Path(repo.tmp_dir), is_shared(repo)))


def _noted(path: Path) -> list[tuple[str, Any]] | None:
    """Each path in the list with a process that uses it; None if the list is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        return None
    readers = [(place, process) for place, several in content.get("read", {}).items() for process in several]
    return [*content.get("write", {}).items(), *readers]


def _lived(pid: int, when: float) -> bool:
    """Whether the process of that number was there already when the list was written last."""
    try:
        return bool(psutil.Process(pid).create_time() <= when + CLOCK_SECONDS)
    except psutil.Error as error:
        return isinstance(error, psutil.AccessDenied)

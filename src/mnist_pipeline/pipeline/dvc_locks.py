"""DVC's list of which process uses which path, after a kill and on a file system that several hosts share.

DVC passes over processes that are gone. But it refuses a list that was left half written, takes for alive a process
that got the number of a dead one, as after a restart, and for gone one of another host. Where `core.hardlink_lock` says
that hosts share the file system, no process is taken for gone here, since the list has nothing but numbers.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import psutil
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, _acquire_write, _check_blockers, _edit_rwlock, _release_write

from mnist_pipeline.pipeline import dvc_program

P = ParamSpec("P")
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
    """Delete the list if it is damaged, or nobody in it is still there; else DVC itself passes over those gone.

    Raises LockError for a damaged list of several hosts: a process of another one may be in it.
    """
    noted = _noted(path)
    if noted is None and shared:
        raise LockError(f"{path}: half written; once no DVC command and no `mnist repro` runs on any host, delete it")
    if noted is None or not (shared or any(_lived(process["pid"], path.stat().st_mtime) for _, process in noted)):
        path.unlink(missing_ok=True)


def acquire(repo: Repo, stage: Any) -> None:
    """Enter the outputs of a stage as written by this process. Raises LockError while another one uses them.

    DVC's own `rwlock` tries only once to take its entries back, which then stay for as long as this process lives.
    """
    outputs = [out.fs_path for out in stage.outs]
    with _edited(repo) as noted:
        for mode in ("write", "read"):
            _check_blockers(repo.tmp_dir, noted, _me(), mode=mode, waiters=outputs)
        _acquire_write(noted, _me(), outputs)


def release(repo: Repo, stage: Any) -> None:
    """Take these entries back, as far as they are there. Raises LockError as `acquire` does; it may be called again."""
    with _edited(repo) as noted:
        mine = [out.fs_path for out in stage.outs if noted["write"].get(out.fs_path) == _me()]
        _release_write(noted, _me(), mine)


def _edited(repo: Repo) -> Any:
    return _edit_rwlock(repo.tmp_dir, repo.fs, is_shared(repo))


def _me() -> dict[str, Any]:
    """This process as DVC enters it."""
    return {"pid": os.getpid(), "cmd": " ".join(sys.argv)}


def check_hosts(repo: Repo, stage: Any) -> None:
    """Raise LockError if a process that may be another host's uses a path of this stage; DVC would pass over it."""
    path = Path(repo.tmp_dir) / RWLOCK_FILE
    mine = [item.fs_path for item in (*stage.deps, *stage.outs)] if is_shared(repo) else []
    for place, process in _noted(path) or []:
        if not psutil.pid_exists(process["pid"]) and any(repo.fs.overlaps(place, one) for one in mine):
            raise LockError(
                f"{place}, used by process {process['pid']} of another host: {process['cmd']}; if that was killed, "
                f"delete {path}"
            )


def patient(method: Callable[P, T]) -> Callable[P, T]:
    """A method of a pipeline that is called again as long as another DVC command is in the way, which it says."""

    @wraps(method)
    def patiently(*arguments: P.args, **named: P.kwargs) -> T:
        pipeline: Any = arguments[0]
        wait = dvc_program.Wait(pipeline.say)
        while True:
            try:
                return method(*arguments, **named)
            except LockError as error:
                repo = pipeline.repo
                wait.once(dvc_program.in_the_way(str(error), Path(repo.tmp_dir), is_shared(repo)))

    return patiently


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
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True

"""After a kill nothing that DVC left blocks anybody, and whoever is alive stays in its list."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mnist_pipeline.pipeline import dvc_locks
from tests.repository import Repository

ALIVE = {"pid": os.getpid(), "cmd": "dvc repro"}


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def dead() -> dict[str, Any]:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return {"pid": process.pid, "cmd": "dvc repro"}


def test_the_list_goes_when_nobody_in_it_is_alive(tmp_path: Path) -> None:
    path, gone = tmp_path / "rwlock", dead()
    alive = {"write": {"models/a": gone, "models/b": ALIVE}, "read": {"data": [gone, ALIVE], "other": [gone]}}
    write(path, alive)
    dvc_locks.remove_rwlock(path)
    assert json.loads(path.read_bytes()) == alive
    write(path, {"write": {"models/a": gone}, "read": {"other": [gone]}})
    dvc_locks.remove_rwlock(path)
    assert not path.exists()


def test_who_got_the_number_of_a_dead_process_is_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "rwlock"
    write(path, {"read": {"models/a": [ALIVE]}})
    os.utime(path, (0, 0))  # written long before this process began
    dvc_locks.remove_rwlock(path)
    assert not path.exists()


@pytest.mark.parametrize("left", [b"", b'{"write": {"models/a": {"pi'])
def test_a_half_written_list_is_deleted(left: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rwlock"
    path.write_bytes(left)
    dvc_locks.remove_rwlock(path)
    assert not path.exists()
    dvc_locks.remove_rwlock(path)


def test_what_a_kill_left_does_not_stop_the_next_run(project: Repository) -> None:
    folder = project.path / ".dvc" / "tmp"
    folder.mkdir(exist_ok=True)
    (folder / "rwlock").write_bytes(b'{"write"')
    for entry in project.path.glob(".dvc/cache/runs/??/*/*"):
        entry.unlink()
    lock = YAML(typ="safe").load(project.path / "dvc.lock")
    del lock["stages"]["train@weak"]
    YAML().dump(lock, project.path / "dvc.lock")
    assert project.repro()["train@weak"] == "ran"

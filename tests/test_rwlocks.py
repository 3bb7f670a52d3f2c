"""DVC's list of readers and writers: after a kill it blocks nobody, and whoever is alive stays in it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline import rwlocks
from tests.repository import Repository

ALIVE = {"pid": os.getpid(), "cmd": "dvc repro"}


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def dead() -> dict[str, Any]:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return {"pid": process.pid, "cmd": "dvc repro"}


def test_only_the_dead_are_taken_out(tmp_path: Path) -> None:
    path, gone = tmp_path / "rwlock", dead()
    write(path, {"write": {"models/a": gone, "models/b": ALIVE}, "read": {"data": [gone, ALIVE], "other": [gone]}})
    rwlocks.mend(path)
    assert json.loads(path.read_bytes()) == {"write": {"models/b": ALIVE}, "read": {"data": [ALIVE]}}


def test_who_got_the_number_of_a_dead_process_is_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "rwlock"
    write(path, {"write": {"models/a": ALIVE}, "read": {}})
    os.utime(path, (0, 0))  # written long before this process began
    rwlocks.mend(path)
    assert json.loads(path.read_bytes()) == {"write": {}, "read": {}}


@pytest.mark.parametrize("left", [b"", b'{"write": {"models/a": {"pi'])
def test_a_half_written_list_is_deleted(left: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rwlock"
    path.write_bytes(left)
    rwlocks.mend(path)
    assert not path.exists()
    rwlocks.mend(path)


def test_what_a_kill_left_does_not_stop_the_next_run(project: Repository) -> None:
    folder = project.path / ".dvc" / "tmp"
    folder.mkdir(exist_ok=True)
    (folder / "rwlock").write_bytes(b'{"write"')
    (folder / "dvc.lock.part").write_bytes(b"half")
    assert project.repro()["publish"] == "ran"

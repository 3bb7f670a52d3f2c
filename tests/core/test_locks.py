"""Who holds a lock is said in words that are true where several machines share a folder, too."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from mnist_pipeline.core import locks


def test_a_lock_names_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locks.locked(path):
        assert path.read_text("utf-8") == f"{os.getpid()} {platform.node()}\n"
        assert locks.holder(path) == ""
        code = (
            f"from pathlib import Path; from mnist_pipeline.core import locks; print(locks.holder(Path({str(path)!r})))"
        )
        asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert asked.stdout.startswith(f"{path}, held by process {os.getpid()}: ")


def test_a_process_of_another_machine_is_not_looked_up_here(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1 faraway\n", "utf-8")
    assert locks.holder(tmp_path / "lock") == f"{tmp_path / 'lock'}, held by process 1 on faraway"

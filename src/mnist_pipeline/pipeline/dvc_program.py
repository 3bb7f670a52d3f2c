"""The program `dvc` of this environment, asked from here: its output, or its own words on what is wrong."""

import subprocess
import sys
import time
from pathlib import Path

from mnist_pipeline.core import locks, paths
from mnist_pipeline.core.errors import PipelineError

BUSY = ("Unable to acquire lock", "is busy")


def run(*arguments: str) -> str:
    """What a dvc command prints, without space around it. Raises PipelineError with DVC's own words when it fails."""
    command = [sys.executable, "-m", "dvc", *arguments]
    said = ""
    while True:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode == 0:
            return done.stdout.strip()
        wrong = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        if not any(sign in wrong for sign in BUSY):
            raise PipelineError(f"dvc {' '.join(arguments)}: {wrong}")
        if said != (said := in_the_way(wrong, paths.project() / ".dvc/tmp")):
            print(f"waiting for {said}", file=sys.stderr)
        time.sleep(1)


def in_the_way(said: str, folder: Path) -> str:
    """Which process has the locks in this folder that DVC says it can't have; else DVC's words, which name it."""
    held = [locks.holder(folder / name) for name in ("lock", "rwlock.lock") if BUSY[0] in said]
    return next(filter(None, held), " ".join(said.split()))

"""The program `dvc` of this environment, asked from here: its output, or its own words on what is wrong."""

import os
import subprocess
import sys
import time
from pathlib import Path

from mnist_pipeline.core.errors import PipelineError

BUSY = ("Unable to acquire lock", "is busy")


def run(*arguments: str) -> str:
    """What a dvc command prints, without space around it. Raises PipelineError with DVC's own words when it fails.

    The environment's folder of programs goes to the head of the PATH: stages find their `python3` there.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command, environment = [sys.executable, "-m", "dvc", *arguments], os.environ | {"PATH": path}
    for pause in (1, 3, 5, None):  # another DVC that begins or ends holds its lock for a moment
        done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode == 0:
            return done.stdout.strip()
        if pause is None or not any(sign in done.stderr for sign in BUSY):
            break
        time.sleep(pause)
    raise PipelineError(f"dvc {' '.join(arguments)}: {' '.join(done.stderr.split()) or f'exit code {done.returncode}'}")

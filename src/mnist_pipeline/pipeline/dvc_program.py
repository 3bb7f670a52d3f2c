"""The program `dvc` of this environment, asked from here: its output, or its own words on what is wrong."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from mnist_pipeline.core.errors import PipelineError

BUSY = ("Unable to acquire lock", "is busy")


def run(*arguments: str) -> str:
    """What a dvc command prints, without space around it. Raises PipelineError with DVC's own words when it fails.

    The environment's folder of programs goes to the head of the PATH: workers inherit it, and find `dvc` and `python3`.
    """
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    for pause in (1, 3, 5, None):  # another experiment that begins or ends holds DVC's lock for a moment
        with TemporaryFile() as printed, TemporaryFile() as complaint:  # a worker would hold a pipe open while it lives
            command = [sys.executable, "-m", "dvc", *arguments]
            code = subprocess.run(command, env=environment, stdout=printed, stderr=complaint, check=False).returncode
            said, wrong = (_read(stream) for stream in (printed, complaint))
        if code == 0:
            return said.strip()
        if pause is None or not any(sign in wrong for sign in BUSY):
            break
        time.sleep(pause)
    raise PipelineError(f"dvc {' '.join(arguments)}: {' '.join(wrong.split()) or f'exit code {code}'}")


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")

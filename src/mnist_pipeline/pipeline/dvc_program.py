"""The program `dvc` of this environment, asked from here: its output, or its own words on what is wrong."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mnist_pipeline.core import locks, paths
from mnist_pipeline.core.errors import PipelineError

BUSY = ("Unable to acquire lock", "is busy")
REMINDER = 60.0  # seconds after which a wait is announced again


def run(*arguments: str) -> str:
    """What a dvc command prints, without space around it. Raises PipelineError with DVC's own words when it fails."""
    command = [sys.executable, "-P", "-m", "dvc", *arguments]  # a folder may hold a dvc.py or json.py
    wait = Wait(lambda line: print(line, file=sys.stderr, flush=True))
    while True:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode == 0:
            return done.stdout.strip()
        wrong = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        if not any(sign in wrong for sign in BUSY):
            raise PipelineError(f"dvc {' '.join(arguments)}: {wrong}")
        wait.once(in_the_way(wrong, paths.project() / ".dvc/tmp"))


def cache() -> Path:
    """The folder of the cache that `dvc cache dir` prints, which takes longer. PipelineError for a damaged config."""
    from dvc.config import Config, ConfigError
    from voluptuous import Invalid  # what DVC reads its configuration with

    folder = paths.project() / ".dvc"
    try:
        return Path(Config(dvc_dir=folder, validate=False).get("cache", {}).get("dir", folder / "cache"))
    except (ConfigError, Invalid) as error:
        raise PipelineError(f"DVC: {' '.join(str(error).split())}; mend .dvc/config or .dvc/config.local") from None


@dataclass
class Wait:
    """A wait of unknown length: what for is said at first, when it changes, and each minute."""

    say: Callable[[str], object]
    what: str = ""
    said: float = 0.0

    def once(self, what: str) -> None:
        """Wait for a second."""
        if what != self.what or time.monotonic() - self.said >= REMINDER:
            self.say(f"waiting for {what}")
            self.what, self.said = what, time.monotonic()
        time.sleep(1)


def in_the_way(said: str, folder: Path, shared: bool = False) -> str:
    """Who has the locks in this folder that DVC can't have, else DVC's words; `shared` ones are hard links."""
    files = [folder / name for name in ("lock", "rwlock.lock") if BUSY[0] in said]
    left = [str(file) for file in files if shared and file.exists() and file.read_bytes().strip().isdigit()]
    if left:
        before = "which DVC left from before `core.hardlink_lock` was set"
        return f"{' and '.join(left)}, {before}; once no DVC command and no `mnist repro` runs on any host, delete it"
    return next(filter(None, map(locks.holder, files)), " ".join(said.split()))

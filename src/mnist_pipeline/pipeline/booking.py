"""What is done, and its entries in dvc.lock, in the order in which `dvc repro` writes them."""

import os
import shutil
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

from dvc.dvcfile import Lockfile
from dvc.repo import Repo

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import whole

LOCK = Path("dvc.lock")


class Booking:
    """The stages that are done, of all those that have a name here."""

    def __init__(self, repo: Repo, names: Iterable[str]) -> None:
        self.repo, self.names = repo, names
        self.done: dict[str, Any] = {}  # by name, a stage whose entry is still to be written into dvc.lock; else None

    def book(self, name: str, stage: Any = None) -> None:
        """Note that a stage is done, write the entries that are due, and forget the states of trainings booked by now.

        An entry is due when all are written that `dvc repro` writes before it; after a failure or a kill, the run cache
        restores the others. DVC writes in place, which may leave half a file, so it gets a copy.
        """
        self.done[name] = stage
        due = [name for name in takewhile(self.done.__contains__, self.names) if self.done[name] is not None]
        if due:
            with whole(LOCK, Path(self.repo.tmp_dir) / f"{LOCK}.part") as copy:
                copy.write_bytes(LOCK.read_bytes() if LOCK.exists() else b"")
                Lockfile(self.repo, str(copy)).dump_stages([self.done[name] for name in due])
            self.done.update(dict.fromkeys(due))
        booked = {self.label(name) for name, waiting in self.done.items() if waiting is None}
        for ended in Path(self.repo.root_dir, paths.RESUME).glob(f"*/{paths.ENDED}"):
            if ended.read_text(encoding="utf-8") in booked:
                shutil.rmtree(ended.parent, ignore_errors=True)

    def label(self, name: str) -> str:
        """A stage among those of all pipelines in this repository."""
        return f"{os.path.relpath(Path.cwd(), self.repo.root_dir)}:{name}"

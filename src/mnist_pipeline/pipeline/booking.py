"""Entries of dvc.lock: written in the order of the graph, each time into a copy that then takes the file's place.

DVC writes in place, so that a kill or a full disk may leave half a dvc.lock; and it adds an entry when a stage ends, so
that a kill while others run would leave them in an order that `dvc repro` does not give.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path


class Booking:
    """What has to be written into a lock file, and when; `write` puts the entry of one stage into the file it is given.

    An entry whose turn has not come waits: what ended behind a stage that failed, or that was killed, is restored from
    the run cache when its turn comes.
    """

    def __init__(self, lock: Path, order: Iterable[str], temporary: Path, write: Callable[[str, Path], None]) -> None:
        self.lock, self.order, self.write = lock, list(order), write
        self.copy = temporary / f"{lock.name}.part"
        self.settled: set[str] = set()
        self.waiting: set[str] = set()

    def settle(self, stage: str, changed: bool) -> None:
        """A stage is done, and its entry is another one or stays as it is."""
        self.settled.add(stage)
        if changed:
            self.waiting.add(stage)
        due = [one for one in takewhile(self.settled.__contains__, self.order) if one in self.waiting]
        if due:
            self._write(due)

    def _write(self, due: list[str]) -> None:
        self.copy.unlink(missing_ok=True)
        if self.lock.exists():
            shutil.copyfile(self.lock, self.copy)
        for stage in due:
            self.write(stage, self.copy)
        with self.copy.open("rb") as stream:
            os.fsync(stream.fileno())  # whole also after the power failed
        self.copy.replace(self.lock)
        self.waiting -= set(due)

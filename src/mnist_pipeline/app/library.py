"""The registered models as people choose among them: each fetched from the registry once and loaded once."""

import re
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import whole
from mnist_pipeline.training import predictor
from mnist_pipeline.training.predictor import Classifier

FETCHED = paths.STORE / "fetched"
Fetch = Callable[[int, Path], None]


@dataclass(frozen=True)
class Entry:
    """A registered version: its model's name, the share of test images it got right (0–1), a digest of its content."""

    version: int
    model: str
    champion: bool
    test_accuracy: float | None
    content: str


class Library:
    """Registered versions, champion first, then the newest first; `folder` keeps what `fetch` brings, by content.

    Threads may share it: one loads a model, the others wait for it.
    """

    def __init__(self, entries: list[Entry], fetch: Fetch, folder: Path) -> None:
        self.entries = {one.version: one for one in sorted(entries, key=lambda one: (not one.champion, -one.version))}
        self._fetch, self._folder = fetch, folder
        self._loaded: dict[int, Classifier] = {}
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def classifier(self, version: int) -> Classifier:
        """The model of one of `entries`. Raises PipelineError when it can't be fetched or is damaged."""
        with self._locks[version]:
            if version not in self._loaded:
                self._loaded[version] = predictor.load(self._place(self.entries[version]))
        return self._loaded[version]

    def _place(self, entry: Entry) -> Path:
        """The folder with the files of a version, fetched whole or not at all."""
        if not re.fullmatch("[0-9a-f]{64}", entry.content):  # becomes a path, and comes from a server
            raise PipelineError(f"version {entry.version}: tag content: expected a SHA-256, found {entry.content!r}")
        place = self._folder / entry.content
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            if not place.exists():
                with whole(place) as part:
                    part.mkdir()
                    self._fetch(entry.version, part)
        return place


def registered(name: str) -> Library:
    """The library of MLflow's registry. Raises PipelineError when nothing is registered or it can't be reached."""
    from mnist_pipeline.registry import (
        pulling,  # takes seconds
        store,
    )

    found = {version.number: version for version in pulling.registered(name)}
    if not found:
        raise PipelineError(f"no model is registered in {store.shown(store.address())}; run `make repro` first")
    entries = [
        Entry(one.number, one.model, one.is_champion, one.test_accuracy, str(one.content)) for one in found.values()
    ]
    return Library(entries, lambda number, folder: pulling.fetch(found[number], folder), paths.root() / FETCHED)

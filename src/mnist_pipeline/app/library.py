"""The registered models as people choose among them: each fetched from the registry once and loaded once."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from filelock import FileLock

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import whole
from mnist_pipeline.registry import integrity
from mnist_pipeline.training import predictor
from mnist_pipeline.training.checkpoints import OtherCodeError
from mnist_pipeline.training.predictor import Classifier

if TYPE_CHECKING:
    from mnist_pipeline.registry.versions import Version

FETCHED = paths.STORE / "fetched"


class Library:
    """Registered versions by number, champion first, then the newest first.

    `folder` keeps, by their digest, the files of a version that `fetch` puts into a folder; those that were damaged
    there since are fetched again. Threads may share a library: one loads a model, the others wait for it. `unavailable`
    has the reason of versions that need other code.
    """

    def __init__(self, registered: "list[Version]", fetch: "Callable[[Version, Path], None]", folder: Path) -> None:
        order = sorted(registered, key=lambda version: (not version.is_champion, -version.number))
        self.versions = {version.number: version for version in order}
        self._fetch, self._folder = fetch, folder
        self.unavailable: dict[int, str] = {}
        self._loaded: dict[int, Classifier] = {}
        self._locks = {number: Lock() for number in self.versions}

    def classifier(self, number: int) -> Classifier:
        """The model of one of `versions`.

        Raises PipelineError when it can't be fetched or is damaged; OtherCodeError when its network is another here.
        """
        with self._locks[number]:
            if number not in self._loaded:
                try:
                    self._loaded[number] = predictor.load(self._place(self.versions[number]))
                except OtherCodeError as error:
                    self.unavailable[number] = f"{error}: mnist lineage --version {number}"
                    raise OtherCodeError(self.unavailable[number]) from None
        return self._loaded[number]

    def _place(self, version: "Version") -> Path:
        """The folder with the files of a version, fetched whole or not at all."""
        digest = version.tags.get(integrity.TAG)
        if digest is None:
            raise PipelineError(f"{version}: says no digest of its files; `mnist publish` its commit again")
        if not re.fullmatch("[0-9a-f]{64}", digest):  # becomes a path, and comes from a server
            raise PipelineError(f"{version}: tag {integrity.TAG}: expected a SHA-256, found {digest!r}")
        place = self._folder / digest
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            if not integrity.holds(place, digest):
                with whole(place) as part:
                    part.mkdir()
                    self._fetch(version, part)
                    if place.exists():
                        shutil.rmtree(place)
        return place


def registered(name: str) -> Library:
    """The library of MLflow's registry. Raises PipelineError when nothing is registered or it can't be reached."""
    from mnist_pipeline.registry import connection, pulling, store, versions  # takes seconds

    with connection.existing():
        found = versions.all_of(name)
    if not found:
        raise PipelineError(f"no model is registered in {store.shown(store.address())}; run `make repro` first")
    return Library(found, pulling.fetch, paths.root() / FETCHED / integrity.standard())

"""The registered models as people choose among them: each fetched from the registry once and loaded once."""

import asyncio
import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from mnist_pipeline.core import background, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import whole
from mnist_pipeline.registry import integrity
from mnist_pipeline.training import predictor
from mnist_pipeline.training.checkpoints import OtherCodeError
from mnist_pipeline.training.predictor import Classifier

if TYPE_CHECKING:
    from mnist_pipeline.registry.tags import Version

FETCHED = paths.STORE / "fetched"
SECONDS = 30.0  # to fetch and load a version in, for whoever waits for it


class LateError(PipelineError):
    """The registry does not hand over a version in time."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; ask again later, and see whether the server at MLFLOW_TRACKING_URI answers")


class Library:
    """Registered versions by number, champion first, then the newest first; threads may share it. `folder` keeps, by
    digest, what `fetch` brought, and fetches damaged files again; `unavailable` has why a version needs other code."""

    def __init__(self, registered: "list[Version]", fetch: "Callable[[Version, Path], None]", folder: Path) -> None:
        order = sorted(registered, key=lambda version: (not version.is_champion, -version.number))
        self.versions = {version.number: version for version in order}
        self._fetch, self._folder = fetch, folder
        self.unavailable: dict[int, str] = {}
        self._loading: dict[int, Future[Classifier]] = {}
        self._lock = Lock()

    def classifier(self, number: int) -> Classifier:
        """The model of one of `versions`. Raises PipelineError when it can't be fetched or is damaged, LateError after
        `SECONDS`, OtherCodeError when its network is another here."""
        try:
            return self._once(number).result(SECONDS)
        except TimeoutError:
            raise _late(number) from None

    async def arrival(self, number: int) -> Classifier:
        """The same for a coroutine, which waits without a thread. The thread that loads goes on after `SECONDS`."""
        loading = self._once(number)
        if loading.done():
            return loading.result()
        try:
            async with asyncio.timeout(SECONDS):
                return await asyncio.shield(asyncio.wrap_future(loading))
        except TimeoutError:
            raise _late(number) from None

    def _once(self, number: int) -> "Future[Classifier]":
        """A model on its way, or there; what failed is tried again."""
        with self._lock:
            found = self._loading.get(number)
            if found is None or (found.done() and found.exception()):
                found = self._loading[number] = background.start(partial(self._load, number))
        return found

    def _load(self, number: int) -> Classifier:
        try:
            return predictor.load(self._place(self.versions[number]))
        except OtherCodeError as error:
            self.unavailable[number] = f"{error}: mnist lineage --version {number}"
            raise OtherCodeError(self.unavailable[number]) from None

    def _place(self, version: "Version") -> Path:
        """The folder with the files of a version, fetched whole or not at all, and one version at a time."""
        digest = version.tags.get(integrity.TAG)
        if digest is None:
            raise PipelineError(f"{version}: says no digest of its files; `mnist publish` its commit again")
        if not re.fullmatch("[0-9a-f]{64}", digest):  # becomes a path, and comes from a server
            raise PipelineError(f"{version}: tag {integrity.TAG}: expected a SHA-256, found {digest!r}")
        place, lock = self._folder / digest, self._folder / "lock"
        if integrity.holds(place, digest):
            return place
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock, SECONDS):
                if not integrity.holds(place, digest):  # by now
                    with whole(place) as part:
                        part.mkdir()
                        self._fetch(version, part)
                        if place.exists():
                            shutil.rmtree(place)
        except Timeout:
            why = f"waited {SECONDS:.0f} s for {lock}, while this or another `mnist app` fetches a version"
            raise LateError(f"{version}: {why}") from None
        return place


def _late(number: int) -> LateError:
    return LateError(f"version {number}: the registry has not handed it over within {SECONDS:.0f} s; it is waited for")


def registered(name: str) -> Library:
    """The library of MLflow's registry. Raises PipelineError when nothing is registered or it can't be reached."""
    from mnist_pipeline.registry import connection, pulling, store, versions  # takes seconds

    with connection.existing():
        found = versions.all_of(name)
    if not found:
        raise PipelineError(f"no model is registered in {store.shown(store.address())}; run `make repro` first")
    return Library(found, pulling.fetch, paths.root() / FETCHED / integrity.standard())

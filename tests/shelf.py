"""A small library of models to choose among, from folders instead of a registry, and the server over it."""

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from mnist_pipeline import networks
from mnist_pipeline.app import hosting
from mnist_pipeline.app.library import Library
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.registry import integrity
from mnist_pipeline.registry.tags import Version
from tests import synthetic

CHAMPION, OTHER = 2, 3


class Registry:
    """Version 2 is the champion, 1 and 3 are not; `fetched` lists what was asked for, in order.

    `network` is the text of the network's file that versions bring.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.fetched = folder, list[int]()
        self.network = networks.source("mlp_28").read_bytes()
        for version in (1, 2, 3):
            if not (folder / str(version)).exists():
                synthetic.train(folder / str(version), epochs=version)

    def fetch(self, version: Version, folder: Path) -> None:
        self.fetched.append(version.number)
        shutil.copytree(self.folder / str(version.number), folder, dirs_exist_ok=True)
        (folder / "mlp_28.py").write_bytes(self.network)
        (folder / integrity.SUMS).write_text(self._sums(version.number), encoding="utf-8")

    def library(self, kept: Path) -> Library:
        return Library([self.entry(1), self.entry(2), self.entry(3)], self.fetch, kept)

    def entry(self, number: int) -> Version:
        """One of the versions as it is now."""
        tags = {integrity.TAG: hashlib.sha256(self._sums(number).encode()).hexdigest()}
        made_up = entry(number, champion=number == CHAMPION)
        return dataclasses.replace(made_up, tags=made_up.tags | tags)

    def _sums(self, number: int) -> str:
        files = {path.name: sha256_of(path) for path in (self.folder / str(number)).iterdir()}
        files["mlp_28.py"] = hashlib.sha256(self.network).hexdigest()
        return "".join(f"{digest}  {integrity.PLAIN}/{name}\n" for name, digest in files.items())


def entry(number: int, champion: bool = False) -> Version:
    tags = {"model": "small", "test_accuracy": "0.9", "sha256sums": hashlib.sha256(bytes([number])).hexdigest()}
    return Version("digits", number, "run", "model", ("champion",) if champion else (), tags)


@contextmanager
def serve(library: Library, hosts: Sequence[str] = ()) -> Iterator[str]:
    """The address at which the real server answers for this library."""
    with hosting.listen("127.0.0.1", 0) as listener:
        server = hosting.Page(library, hosts)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

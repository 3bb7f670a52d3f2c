"""A small library of models to choose among, from folders instead of a registry, and the server over it."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from mnist_pipeline.app import hosting
from mnist_pipeline.app.library import Library
from mnist_pipeline.registry.versions import Version
from tests import synthetic

CHAMPION, OTHER = 2, 3


class Registry:
    """Version 2 is the champion, 1 and 3 are not; `fetched` lists what was asked for, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fetched = folder, list[int]()
        for version in (1, 2, 3):
            synthetic.train(folder / str(version), epochs=version)

    def fetch(self, version: Version, folder: Path) -> None:
        self.fetched.append(version.number)
        shutil.copytree(self.folder / str(version.number), folder, dirs_exist_ok=True)

    def library(self, kept: Path) -> Library:
        return Library([entry(1), entry(2, champion=True), entry(3)], self.fetch, kept)


def entry(number: int, champion: bool = False) -> Version:
    content = hashlib.sha256(bytes([number])).hexdigest()
    tags = {"model": "small", "test_accuracy": "0.9", "content": content}
    return Version("digits", number, "run", "model", ("champion",) if champion else (), tags)


@contextmanager
def serve(library: Library) -> Iterator[str]:
    """The address at which the real server answers for this library."""
    with hosting.listen("127.0.0.1", 0) as listener:
        server = hosting.server(library)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

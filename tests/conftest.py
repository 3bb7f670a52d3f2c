"""What many tests need: a small data set, verified, to work in, and a small repository in which all was built."""

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core.params import Runtime

portable.pin(Runtime(arithmetic="portable", device="cpu", threads=1))  # before numpy is imported

import pytest
import torch
from filelock import FileLock

from mnist_pipeline.core import params
from mnist_pipeline.data import verification
from tests import repository, synthetic
from tests.repository import Repository

MODELS = {
    "plain": synthetic.recipe(epochs=2),
    "weak": synthetic.recipe(optimizer={"name": "sgd", "learning_rate": 1e-4}),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="tests/faults with the counts that results.md states")


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Every test starts from the same random state, on one thread, whatever ran before it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("default")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four `.gz` files of a small data set; not to be written to."""
    folder = tmp_path_factory.mktemp("published")
    synthetic.write(folder)
    return folder


@pytest.fixture
def settings(published: Path) -> params.Params:
    """Valid settings for that data set."""
    return params.parse(synthetic.params(synthetic.data_params(published, [str(published)])), "test")


@pytest.fixture
def workspace(tmp_path: Path, published: Path, settings: params.Params, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the working directory, with `data/idx` made from the small data set."""
    monkeypatch.chdir(tmp_path)
    verification.verify(settings.data, published)
    return tmp_path


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def server(published: Path) -> Iterator[str]:
    """The address of an HTTP server on this machine that serves the small data set."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=published)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(scope="session")
def built(server: str, published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which `mnist repro` ran from nothing and everything was committed; built once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"
    with FileLock(f"{shared}.lock"):
        if not (shared / "output.txt").exists():
            data = synthetic.data_params(published, [f"{server}/broken", server, str(published)])
            fresh = repository.create(shared, synthetic.params(data, models=MODELS))
            output = fresh.run("mnist", "repro")
            fresh.commit("Results")
            (shared / ".git" / "info" / "exclude").write_text("output.txt\n", encoding="utf-8")
            (shared / "output.txt").write_text(output, encoding="utf-8")
    return shared


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Repository:
    """A copy of the built repository to change at will; its MLflow store is its own, and still empty."""
    ignored = shutil.ignore_patterns(".mlflow", "output.txt", "tmp")
    return Repository(Path(shutil.copytree(built, tmp_path / "project", ignore=ignored)))

"""What many tests need: a small data set, verified, to work in, and a small repository in which all was built."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import chdir, closing
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
from tests import golden, synthetic
from tests.faults.tracking import Server
from tests.repository import Repository, create, quick_environment

MODELS = {
    "plain": synthetic.recipe(epochs=2),
    "weak": synthetic.recipe(optimizer={"name": "sgd", "learning_rate": 1e-4}),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="tests/faults with the counts that results.md states")


def pytest_configure(config: pytest.Config) -> None:
    """The workers of pytest-xdist share one server of forks; it loads its libraries while they load theirs."""
    if getattr(config.option, "numprocesses", None):
        quick_environment()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the built repository come last, so that one worker makes it while the others have other tests to do."""
    items.sort(key=lambda item: "built" in getattr(item, "fixturenames", ()))


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


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker to need it makes for all; not to be written to."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = Path(f"{folder}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def real_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data/idx` of the real MNIST, verified once for all workers; not to be written to."""

    def make(folder: Path) -> None:
        folder.mkdir()
        with chdir(folder):
            golden.verify_real_mnist()

    return once(tmp_path_factory, "mnist", make)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running MLflow server, over SQLite; tests keep apart by the name of the data set."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def built(server: str, published: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A repository in which `mnist repro` ran from nothing and everything was committed; built once for all workers.

    By the real programs: the only place, beside tests of other surroundings, where every stage starts as it does for a
    user. In copies of it they are forks, and in this one where only tests with a marker run.
    """
    real = pytestconfig.option.markexpr.startswith("not ")
    other = {"LC_ALL": "C"} if real else {}  # a fork has the locale of its server

    def make(folder: Path) -> None:
        data = synthetic.data_params(published, [f"{server}/broken", server, str(published)])
        repository = create(folder, synthetic.params(data, models=MODELS))
        output = Repository(folder, real).run("mnist", "repro", code=0, **other)
        repository.commit("Results")
        (folder / ".git" / "info" / "exclude").write_text("output.txt\n", encoding="utf-8")
        (folder / "output.txt").write_text(output, encoding="utf-8")

    return once(tmp_path_factory, "built", make)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database as MLflow begins it, which takes more than a second; not to be written to."""

    def make(folder: Path) -> None:
        folder.mkdir()
        code = (
            f"from mlflow.tracking import MlflowClient; MlflowClient('sqlite:///{folder}/mlflow.db').search_runs(['0'])"
        )
        Repository(folder).run("python3", "-c", code)

    return once(tmp_path_factory, "store", make) / "mlflow.db"


@pytest.fixture
def project(built: Path, empty_store: Path, tmp_path: Path) -> Repository:
    """A copy of the built repository to change at will; its MLflow store is its own, and still empty."""
    ignored = shutil.ignore_patterns(".mlflow", "output.txt", "tmp")
    copy = Path(shutil.copytree(built, tmp_path / "project", ignore=ignored))
    store = copy / ".mlflow"
    store.mkdir()
    shutil.copy(empty_store, store)
    with closing(sqlite3.connect(store / "mlflow.db")) as database, database:
        database.execute("UPDATE experiments SET artifact_location = ?", (f"{(store / 'artifacts').as_uri()}/0",))
    return Repository(copy)


@pytest.fixture
def filled(project: Repository, built: Path) -> Repository:
    """The same with a store that holds what was published when it was built, at addresses of its own."""
    from mnist_pipeline.registry import relocation  # and MLflow, which takes time

    ours, theirs = (folder / ".mlflow" for folder in (project.path, built))
    shutil.copy(theirs / "mlflow.db", ours)
    shutil.copytree(theirs / "artifacts", ours / "artifacts")
    places = {"old": (theirs / "artifacts").as_uri(), "new": (ours / "artifacts").as_uri()}
    with closing(sqlite3.connect(ours / "mlflow.db")) as database, database:
        for column in relocation.COLUMNS:
            database.execute(relocation.MOVE.format(*column), places)
    return project

"""A shared MLflow server before PostgreSQL, a guard before the server, and two repositories to publish from."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnist_pipeline.core import files
from tests import repository, synthetic
from tests.repository import Repository
from tests.server import gate, postgres, tracking_server
from tests.server.gate import Gate
from tests.server.tracking_server import TrackingServer

Copy = Callable[[Path, str], Repository]
SECOND = "second"
BETTER = {"plain": synthetic.recipe(options={"hidden": 20}, epochs=3)}  # as accurate, with fewer parameters


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """A running server; tests keep apart by the name of the data set, and so of experiment and model."""
    folder = tmp_path_factory.mktemp("shared")
    with postgres.running(folder) as database, tracking_server.running(database, folder, "tracking") as server:
        yield server


@pytest.fixture(autouse=True)
def _logs(shared: TrackingServer) -> Iterator[None]:
    """What both servers logged during a test; pytest shows it when the test fails."""
    logs = (shared.log, shared.postgres.log)
    before = [log.stat().st_size for log in logs]
    yield
    for log, size in zip(logs, before, strict=True):
        print(f"{log.name}:\n{log.read_bytes()[size:].decode(errors='replace')}")


@pytest.fixture(scope="session")
def guarded(shared: TrackingServer) -> Iterator[Gate]:
    """The same server behind a proxy that asks for user and password."""
    with gate.before(shared.address) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def second(guarded: Gate, published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with another seed and another recipe; built from nothing, and published past the guard."""
    data = synthetic.data_params(published, [str(published)]) | {"name": SECOND}
    fresh = repository.create(tmp_path_factory.mktemp("second"), synthetic.params(data, seed=2, models=BETTER))
    (fresh.path / "output.txt").write_text(fresh.run("mnist", "repro", code=0, **guarded.variables), encoding="utf-8")
    return fresh.path


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Copies what of a built repository belongs to `plain`, under another name of the data set, published nowhere."""

    def make(source: Path, name: str) -> Repository:
        target = Repository(tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}")
        shutil.copytree(source, target.path, ignore=shutil.ignore_patterns(".mlflow", "output.txt", "tmp", "weak*"))
        data, settings = target.path / "metrics/data.json", target.params()
        files.write_json(data, files.read_json(data) | {"name": name})
        target.write_params(settings | {"models": {"plain": settings["models"]["plain"]}})
        return target

    return make

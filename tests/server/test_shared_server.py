"""The whole pipeline against a shared server: what is there afterwards, and what a change of the address does."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mnist_pipeline.data import idx
from tests.repository import Repository
from tests.server import held
from tests.server.tracking_server import TrackingServer

pytestmark = pytest.mark.server

LOAD = """
import sys
import mlflow
import numpy as np

champion = mlflow.pyfunc.load_model("models:/tiny@champion")
np.save(sys.argv[2], champion.predict(np.load(sys.argv[1])).argmax(axis=1))
"""


def test_repro_publishes_to_the_server_and_any_client_gets_all_of_it(
    shared: TrackingServer, project: Repository, tmp_path: Path
) -> None:
    project.repro(MLFLOW_TRACKING_URI=shared.address)
    ranks, found = held.expected(project), held.look(shared.address, "tiny")
    assert found.contents_of_runs == found.contents_of_versions == dict.fromkeys(ranks, 1)
    assert found.champion.tags["model"] == "plain"

    client = Repository(tmp_path / "client")
    client.path.mkdir()
    run = next(run for run in found.runs if run.info.run_id == found.champion.run_id)
    file = f"{run.info.artifact_uri}/metrics/plain.json"
    client.run("mlflow", "artifacts", "download", "-u", file, "-d", ".", MLFLOW_TRACKING_URI=shared.address)
    assert (client.path / "plain.json").read_bytes() == (project.path / "metrics/models/plain.json").read_bytes()
    assert _digits(client, project, shared.address) == _predictions(project)
    assert str(shared.artifacts) not in shared.dump(), "a client may not need the folder of the artifacts"


def _digits(client: Repository, project: Repository, address: str) -> list[int]:
    """What the champion, loaded through the server, makes of the test images."""
    images = idx.read(project.path / "data/idx/test-images.idx3-ubyte")
    np.save(client.path / "images.npy", images[:, None].astype(np.float32))
    script = [sys.executable, "-W", "ignore", "-c", LOAD, "images.npy", "digits.npy"]
    client.run(*script, MLFLOW_TRACKING_URI=address)
    return [int(digit) for digit in np.load(client.path / "digits.npy")]


def _predictions(project: Repository) -> list[int]:
    return [int(digit) for digit in pd.read_csv(project.path / "results/test/plain/predictions.csv")["predicted"]]


def _ran(project: Repository, address: str) -> list[str]:
    outcomes = project.repro(MLFLOW_TRACKING_URI=address)
    return [stage for stage, outcome in outcomes.items() if outcome != "unchanged"]


def test_when_the_address_changed_repro_publishes_to_the_new_one(shared: TrackingServer, project: Repository) -> None:
    here = ""  # the database in the repository
    assert _ran(project, here) == ["publish"]
    assert _ran(project, shared.address) == ["publish"]
    assert held.look(shared.address, "tiny").contents_of_versions == dict.fromkeys(held.expected(project), 1)
    assert _ran(project, shared.address) == []
    assert _ran(project, here) == ["publish"]
    assert project.published()["versions"] == 2

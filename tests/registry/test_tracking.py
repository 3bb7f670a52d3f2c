"""Where the store is, what is shown of its address, and that a published model is the one that was trained."""

import json
from pathlib import Path

from ruamel.yaml import YAML

from tests.repository import Repository

LOAD = """
import sys, numpy, mlflow
from mnist_pipeline.core import paths
from mnist_pipeline.data import dataset
from mnist_pipeline.training import predictor
mlflow.set_tracking_uri("sqlite:///.mlflow/mlflow.db")
published = mlflow.pyfunc.load_model("models:/tiny@champion")
images = dataset.test_set().batch(dataset.test_set().all())[0].float()
ours = predictor.load(paths.model("plain"))(images).detach().numpy()
for count in (1, 3, 100):
    assert numpy.allclose(published.predict(images[:count].numpy()), ours[:count], atol=1e-6)
print("same probabilities")
"""


def test_the_champion_loads_without_pickle_and_takes_any_number_of_images(built: Path) -> None:
    changes = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "PYTHONPATH": "src"}
    assert "same probabilities" in Repository(built).run("python3", "-c", LOAD, code=0, **changes)


def test_a_run_holds_params_history_artifacts_and_the_data_set(built: Path) -> None:
    store = Repository(built)
    ask = "SELECT count(*) FROM {} p JOIN runs r ON p.run_uuid = r.run_uuid WHERE r.name = 'plain'"
    assert store.query(ask.format("params") + " AND p.key = 'optimizer.learning_rate'") == [(1,)]
    assert store.query(ask.format("metrics") + " AND p.key = 'validation_accuracy'") == [(2,)]
    assert store.query("SELECT name FROM datasets") == [("tiny",)]
    location = store.query("SELECT artifact_uri FROM runs WHERE name = 'plain'")[0][0].removeprefix("file://")
    found = {str(path.relative_to(location)) for path in Path(location).rglob("*.*")}
    assert {"pictures/confusion.png", "tables/history.csv", "metrics/plain.json"} <= found


def test_the_version_carries_plain_weights_and_explicit_requirements(built: Path) -> None:
    location = Repository(built).query("SELECT artifact_location FROM logged_models WHERE name = 'plain'")[0][0]
    folder = Path(location.removeprefix("file://"))
    weights = next(folder.rglob("weights.safetensors"))
    assert weights.read_bytes() == (built / "models/plain/weights.safetensors").read_bytes()
    assert "torch==" in (folder / "requirements.txt").read_text(encoding="utf-8")
    signature = YAML(typ="safe").load(folder / "MLmodel")["signature"]
    assert json.loads(signature["inputs"])[0]["tensor-spec"]["shape"] == [-1, 1, 28, 28]

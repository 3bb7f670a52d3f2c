"""Publishing: one run and one version for each model and content, whatever happens in between."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from mnist_pipeline.data import dataset
from tests.repository import Repository

WHOLE = {"runs": 2, "unfinished": 0, "models": 2, "versions": 2}


def _only_publish(outcomes: dict[str, str]) -> bool:
    return [stage for stage, outcome in outcomes.items() if outcome != "unchanged"] == ["publish"]


def test_called_twice_adds_nothing(project: Repository) -> None:
    project.run("mnist", "publish")
    project.run("mnist", "publish")
    assert project.published() == WHOLE


def test_after_the_store_was_deleted_it_is_filled_again(project: Repository) -> None:
    assert _only_publish(project.repro())
    (project.path / ".mlflow" / "mlflow.db").unlink()
    assert _only_publish(project.repro())
    assert project.published() == WHOLE
    shutil.rmtree(project.path / ".mlflow")
    assert project.run("dvc", "repro").count("Running stage") == 1
    assert project.published() == WHOLE


KILLED = """
import os, sys
from mlflow.tracking import MlflowClient
from mnist_pipeline.registry import publishing

calls, last = 0, int(sys.argv[1])
def dying(method):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls > last:
            os._exit(9)
        return method(*arguments, **named)
    return call

for name in ("create_experiment", "create_run", "log_batch", "log_inputs", "log_artifact", "create_model_version",
             "create_registered_model", "set_terminated", "set_registered_model_alias"):
    setattr(MlflowClient, name, dying(getattr(MlflowClient, name)))
publishing.publish(["plain", "weak"])
"""


def test_killed_halfway_it_completes_what_is_missing(project: Repository, tmp_path: Path) -> None:
    """Before there is anything, with half a run, with a run still open, without a version, a model, the champion."""
    (tmp_path / "killed.py").write_text(KILLED, encoding="utf-8")
    for survived in (0, 6, 12, 14, 15, 15):
        project.run("python3", "../killed.py", str(survived), code=9, PYTHONPATH="src")
    project.run("mnist", "publish")
    assert project.published() == WHOLE
    assert project.champion() == "plain"


def test_killed_while_the_store_is_made_it_makes_it_anew(project: Repository) -> None:
    folder = project.path / ".mlflow"
    (folder / "mlflow.db").unlink()
    (folder / "mlflow.db.part").write_bytes(b"half a database")
    project.run("mnist", "publish")
    assert project.published() == WHOLE


def test_an_unreachable_store_stops_only_publish(project: Repository) -> None:
    changed = project.params()
    changed["models"]["weak"]["epochs"] = 2
    project.write_params(changed)
    address = "http://user:secret@127.0.0.1:9"
    output = project.run("mnist", "repro", code=1, MLFLOW_TRACKING_URI=address)
    assert "http://127.0.0.1:9" in output
    assert "secret" not in output
    assert "Traceback" not in output
    assert _only_publish(project.repro())


def test_an_experiment_is_recorded_but_never_champion(project: Repository) -> None:
    project.repro()
    code = project.path / "src/mnist_pipeline/results/leaderboard.py"
    code.write_text(
        code.read_text(encoding="utf-8").replace('"best": chosen', '"edited": 1, "best": chosen'), encoding="utf-8"
    )
    better = "models.weak.optimizer={name: adamw, learning_rate: 0.02}"
    project.run(
        "dvc", "exp", "run", "--temp", "--name", "trial", "--set-param", better, "--set-param", "models.weak.epochs=6"
    )
    assert project.champion() == "plain"
    tags = project.query("SELECT DISTINCT key, value FROM tags WHERE key = 'dvc.experiment'")
    assert tags == [("dvc.experiment", "trial")]
    assert project.published()["versions"] == 3

    project.run("git", "checkout", "--quiet", ".")
    project.run("dvc", "exp", "apply", "trial")
    assert '"edited": 1' in (project.path / "metrics/summary.json").read_text(encoding="utf-8")
    assert _only_publish(project.repro())
    assert project.published()["versions"] == 3


def test_a_clone_uses_its_own_code(project: Repository, tmp_path: Path) -> None:
    clone = project.clone(tmp_path / "clone")
    code = clone.path / "src/mnist_pipeline/data/sources.py"
    code.write_text(code.read_text(encoding="utf-8") + '\nprint("edited here")\n', encoding="utf-8")
    assert "edited here" in clone.run("dvc", "repro", "download")


@pytest.mark.parametrize(("saw_validation_images", "champion"), [(False, "weak"), (True, "plain")])
def test_a_model_trained_on_validation_images_is_no_candidate(
    project: Repository, saw_validation_images: bool, champion: str
) -> None:
    """The weak model gets the highest validation accuracy; unless its manifest says what it was trained on, it wins."""
    project.edit("metrics/models/weak.json", validation_accuracy=1.0)
    project.edit("metrics/models/plain.json", validation_accuracy=0.9)
    if saw_validation_images:
        everything = dataset.digest(torch.arange(400))
        project.edit("models/weak/model.json", training_images=400, training_images_sha256=everything)
    project.run("mnist", "publish")
    assert project.champion() == champion


def test_files_that_dvc_lock_does_not_describe_are_not_published(project: Repository) -> None:
    weights = project.path / "models/weak/weights.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    output = project.run("mnist", "publish", code=1)
    assert "models/weak: expected md5" in output
    assert "dvc checkout" in output
    assert "Traceback" not in output


DOUBLED = """
import mlflow
mlflow.set_tracking_uri("sqlite:///.mlflow/mlflow.db")
client = mlflow.MlflowClient()
first = client.get_model_version("tiny", "1")
run = client.create_run(client.get_run(first.run_id).info.experiment_id, tags={"content": first.tags["content"]})
client.create_model_version("tiny", source=first.source, run_id=run.info.run_id, tags=first.tags)
client.create_run(run.info.experiment_id, tags={"content": first.tags["content"]})
client.create_logged_model(run.info.experiment_id, "plain", source_run_id=first.run_id)
"""


def test_of_two_versions_with_the_same_content_the_lower_stays(project: Repository) -> None:
    """And no run or model of this content that no version came of: somebody was killed, or a request was repeated."""
    project.run("mnist", "publish")
    project.run(sys.executable, "-W", "ignore", "-c", DOUBLED)
    assert project.published() == WHOLE | {"unfinished": 2, "versions": 3}
    assert _logged(project) == 3
    project.run("mnist", "publish")
    assert project.published() == WHOLE
    assert _logged(project) == 2
    live = "SELECT version FROM model_versions WHERE current_stage != 'Deleted_Internal' ORDER BY version"
    assert project.query(live) == [(1,), (2,)]


def _logged(project: Repository) -> int:
    """How many models there are, whole or not."""
    return len(project.query("SELECT model_id FROM logged_models WHERE lifecycle_stage = 'active'"))

"""Publishing: one run and one version for each model and content, whatever happens in between."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from mnist_pipeline.data import dataset
from tests.repository import Repository

LIVE = "SELECT version FROM model_versions WHERE current_stage != 'Deleted_Internal'"
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
    for survived in (0, 6, 12, 13, 14, 14):
        project.run("python3", "../killed.py", str(survived), code=9, PYTHONPATH="src")
    project.run("mnist", "publish")
    assert project.published() == WHOLE
    assert project.champion() == "plain"


def test_one_model_alone_is_published_without_a_receipt(project: Repository) -> None:
    (project.path / ".mlflow/receipt.json").unlink(missing_ok=True)
    assert "published weak to " in project.run("mnist", "publish", "weak")
    assert project.published()["versions"] == 1
    assert project.champion() == "weak"
    assert not (project.path / ".mlflow/receipt.json").exists()


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
half = {"source_run_id": first.run_id, "tags": {"content": first.tags["content"]}}
client.create_logged_model(run.info.experiment_id, "plain", **half)
"""


def test_of_two_versions_with_the_same_content_the_lower_stays(filled: Repository) -> None:
    """And no run or model of this content that no version came of: somebody was killed, or a request was repeated."""
    filled.run("python3", "-c", DOUBLED)
    assert filled.published() == WHOLE | {"unfinished": 2, "versions": 3}
    assert _logged(filled) == 3
    filled.run("mnist", "publish")
    assert filled.published() == WHOLE
    assert _logged(filled) == 2
    assert filled.query(f"{LIVE} ORDER BY version") == [(1,), (2,)]


THEIRS = """
import sys
import mlflow
mlflow.set_tracking_uri("sqlite:///.mlflow/mlflow.db")
client = mlflow.MlflowClient()
first = client.get_model_version("tiny", "1")
experiment = client.get_run(first.run_id).info.experiment_id
client.create_logged_model(experiment, "theirs", source_run_id=first.run_id)
client.create_logged_model(experiment, "theirs")
client.copy_model_version("models:/tiny/1", "tiny")
if "alone" in sys.argv:
    client.delete_model_version("tiny", "1")
"""
LOAD = "import mlflow, sys; print(type(mlflow.pyfunc.load_model(sys.argv[1])))"


@pytest.mark.parametrize("alone", ["alone", "beside the first"])
def test_models_of_users_stay(filled: Repository, alone: str) -> None:
    """Models that they logged, into our run too, and a copy of a version, also when it is all that is left of it."""
    filled.run("python3", "-c", THEIRS, alone)
    before = filled.query("SELECT model_id, lifecycle_stage FROM logged_models"), filled.published()
    filled.run("mnist", "publish")
    assert (filled.query("SELECT model_id, lifecycle_stage FROM logged_models"), filled.published()) == before
    place = {"MLFLOW_TRACKING_URI": "sqlite:///.mlflow/mlflow.db"}
    assert "PyFuncModel" in filled.run("python3", "-c", LOAD, "models:/tiny/3", code=0, **place)


def test_a_deleted_experiment_is_named_and_what_restores_it_is_said(filled: Repository) -> None:
    filled.run("python3", "-c", DELETED)
    output = filled.run("mnist", "publish", code=1)
    store = f"sqlite:///{filled.path}/.mlflow/mlflow.db"
    assert output.startswith(f"error: MLflow's store at {store}: experiment tiny was deleted; to restore it ")
    command = f"MLFLOW_TRACKING_URI='{store}' mlflow experiments restore --experiment-id 1"
    assert f"{command}; or name another store" in output
    filled.run("sh", "-c", command)
    filled.run("mnist", "publish")
    assert filled.published() == WHOLE


DELETED = """
import mlflow
client = mlflow.MlflowClient("sqlite:///.mlflow/mlflow.db")
client.delete_experiment(client.get_experiment_by_name("tiny").experiment_id)
"""
REMOVED = """
import mlflow
mlflow.set_tracking_uri("sqlite:///.mlflow/mlflow.db")
client = mlflow.MlflowClient()
client.delete_run(client.get_model_version("tiny", "1").run_id)
client.set_registered_model_alias("tiny", "ours", "1")
"""


@pytest.mark.parametrize(("for_good", "version"), [(False, 1), (True, 3)])
def test_a_run_that_was_removed_is_there_again(project: Repository, for_good: bool, version: int) -> None:
    project.repro()
    project.run("mnist", "promote", "1", "--reason", "by hand")
    project.run("python3", "-c", REMOVED)
    if for_good:
        store = f"sqlite:///{project.path}/.mlflow/mlflow.db"
        project.run("mlflow", "gc", "--backend-store-uri", store, "--tracking-uri", store)
    assert project.published()["runs"] == 1
    assert _only_publish(project.repro())
    assert project.published() == WHOLE
    assert project.query("SELECT version FROM registered_model_aliases") == [(version,), (version,)]
    moves = [line.split()[2:6:3] for line in project.run("mnist", "history").splitlines()[1:]]
    assert moves == [[str(version), "publish"], [str(version), "promote"]]
    assert f"tiny version {version} (plain)" in project.run("mnist", "pull", "pulled")


LOST = """
import sys
import mlflow
mlflow.set_tracking_uri("sqlite:///.mlflow/mlflow.db")
client = mlflow.MlflowClient()
first = client.get_model_version("tiny", "1")
client.set_registered_model_alias("tiny", "ours", "1")
if "copied" in sys.argv:
    client.copy_model_version("models:/tiny/1", "tiny")
client.create_logged_model(client.get_run(first.run_id).info.experiment_id, "theirs", source_run_id=first.run_id)
client.delete_logged_model(first.source.removeprefix("models:/"))
"""


@pytest.mark.parametrize("copied", ["copied", "alone"])
def test_a_model_that_was_removed_for_good_is_there_again(filled: Repository, copied: str, tmp_path: Path) -> None:
    """A copy of its version, which is a user's, stays; so do the models that they logged into its run."""
    filled.repro()
    filled.run("mnist", "promote", "1", "--reason", "by hand")
    filled.run("python3", "-c", LOST, copied)
    store = f"sqlite:///{filled.path}/.mlflow/mlflow.db"
    filled.run("mlflow", "gc", "--backend-store-uri", store, "--tracking-uri", store)
    assert copied == "copied" or _only_publish(filled.repro())
    filled.run("mnist", "publish")
    left = {(2,), (3,), (4,)} if copied == "copied" else {(2,), (3,)}
    assert set(filled.query(LIVE)) == left
    assert filled.published()["runs"] == 2
    assert filled.query("SELECT version FROM registered_model_aliases") == [(max(left)[0],)] * 2
    assert filled.query("SELECT lifecycle_stage FROM logged_models WHERE name = 'theirs'") == [("active",)]
    assert f"tiny version {max(left)[0]} (plain)" in filled.run("mnist", "pull", str(tmp_path / "pulled"))


def test_a_refused_publication_leaves_no_run(filled: Repository) -> None:
    for table in ("model_version_tags", "registered_model_aliases", "model_versions"):
        filled.query(f"DELETE FROM {table}")  # noqa: S608
    filled.query("UPDATE runs SET lifecycle_stage = 'deleted'")
    filled.query("CREATE TRIGGER no BEFORE INSERT ON model_versions BEGIN SELECT RAISE(ABORT, 'not today'); END")
    output = filled.run("mnist", "publish", code=1)
    assert "Model Version creation error" in output.splitlines()[-1]
    assert "Traceback" not in output
    assert filled.query("SELECT count(*) FROM runs WHERE lifecycle_stage = 'active'") == [(0,)]
    filled.query("DROP TRIGGER no")
    filled.run("mnist", "publish")
    assert filled.published() == WHOLE


def test_two_clones_publish_into_one_fresh_database_at_once(project: Repository, tmp_path: Path) -> None:
    other = Repository(Path(shutil.copytree(project.path, tmp_path / "other")))
    other.edit("metrics/models/weak.json", test_loss=0.0)
    shared = Repository(tmp_path / "shared")
    address = f"sqlite:///{shared.path}/.mlflow/mlflow.db"
    with ThreadPoolExecutor() as threads:
        publish = [threads.submit(one.run, "mnist", "publish", MLFLOW_TRACKING_URI=address) for one in (project, other)]
    assert sum("note: waiting for" in one.result() for one in publish) == 1
    assert shared.published() == {"runs": 3, "unfinished": 0, "models": 3, "versions": 3}
    assert shared.champion() == "plain"


def _logged(project: Repository) -> int:
    """How many models there are, whole or not."""
    return len(project.query("SELECT model_id FROM logged_models WHERE lifecycle_stage = 'active'"))

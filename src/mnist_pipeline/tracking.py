"""What DVC built, shown in MLflow: one run for each model and content, one registered version, and a champion.

Everything is found again by its content (the md5s in dvc.lock) before it is made, so that a second call adds nothing
and a call after a crash completes what is missing. This module alone imports mlflow.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

import mlflow
import numpy as np
import requests
import torch
from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.entities.logged_model_status import LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec
from sqlalchemy.exc import SQLAlchemyError

from mnist_pipeline import checkpoints, lockfile, paths, predicting, record, reporting, store
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.record import Record

CHAMPION = "champion"
COMPLETE = "complete"
REQUIREMENTS = [
    f"mlflow=={mlflow.__version__}",
    f"torch=={torch.__version__.split('+')[0]}",
    f"numpy=={np.__version__}",
]


@contextmanager
def connection() -> Iterator[MlflowClient]:
    """A client of the store, alone on this machine: a fresh database does not bear two first users at once.

    Raises PipelineError that names the address when the store can't be reached or answers with an error.
    """
    uri, database = store.address(), store.database()
    lock = paths.root() / paths.STORE / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock):
            if uri.startswith(("http://", "https://")):
                requests.get(f"{uri.rstrip('/')}/health", timeout=5)  # MLflow itself would wait for minutes
            if database is not None and not database.exists():
                _create_database(database)
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)
            yield MlflowClient()
    except (MlflowException, requests.RequestException, SQLAlchemyError) as error:
        cause = " ".join(str(error).replace(uri, store.shown(uri)).split())[:300]
        raise PipelineError(f"MLflow's store at {store.shown(uri)} (MLFLOW_TRACKING_URI): {cause}") from None


def _create_database(database: Path) -> None:
    """Make a fresh store beside its place and move it there: one killed while it makes its tables can't be mended."""
    temporary = database.with_name(database.name + ".part")
    temporary.unlink(missing_ok=True)
    fresh = SqlAlchemyStore(f"{store.SQLITE}{temporary}", _artifacts(database))
    fresh.engine.dispose()
    temporary.replace(database)


def _artifacts(database: Path) -> str:
    """Artifacts lie beside the database that names them."""
    return (database.parent / "artifacts").as_uri()


def publish(models: list[str]) -> None:
    """Put every model into MLflow once, let the best of them challenge the champion, and leave a receipt.

    Raises PipelineError when a model was not built yet or the store can't be used.
    """
    reporting.check_leftovers(models)
    lock = lockfile.load()
    records = [record.gather(model, lock) for model in models]
    with connection() as client:
        versions = [_publish_one(client, entry) for entry in records]
        _crown(client, records, versions)
    store.leave_receipt({entry.model: entry.content for entry in records})


def _publish_one(client: MlflowClient, record: Record) -> ModelVersion:
    run_id = _find_or_create_run(client, record)
    if client.get_run(run_id).data.tags.get(COMPLETE) != "true":
        _fill_run(client, run_id, record)
    version = _find_version(client, record)
    if version is None:
        model_id = _find_or_log_model(client, run_id, record)
        version = _register(client, run_id, model_id, record)
        print(f"{record.model}: registered as {record.data_name} version {version.version}", flush=True)
    if client.get_run(run_id).info.status != "FINISHED":
        client.set_terminated(run_id)
    return version


def _find_or_create_run(client: MlflowClient, record: Record) -> str:
    experiment_id = _experiment(client, record.data_name)
    found = client.search_runs([experiment_id], f"tags.content = '{record.content}'", order_by=["start_time ASC"])
    if found:
        return str(found[0].info.run_id)
    tags = record.tags | {"content": record.content}
    return str(client.create_run(experiment_id, run_name=record.model, tags=tags).info.run_id)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    database = store.database()
    return str(client.create_experiment(name, artifact_location=_artifacts(database) if database else None))


def _fill_run(client: MlflowClient, run_id: str, record: Record) -> None:
    """Params, metrics, inputs and artifacts; each call may be repeated and then changes nothing."""
    when = client.get_run(run_id).info.start_time
    params = [Param(key, value) for key, value in record.params.items()]
    metrics = [Metric(key, value, when, step) for key, value, step in record.metrics]
    client.log_batch(run_id, params=params)
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])
    data = Dataset(record.data_name, record.data_digest[:32], "local", record.data_source, profile=record.data_profile)
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    for path, folder in record.artifacts:
        client.log_artifact(run_id, str(path), folder)
    client.log_batch(run_id, tags=[RunTag(COMPLETE, "true")])


def _find_or_log_model(client: MlflowClient, run_id: str, record: Record) -> str:
    experiment_id = client.get_run(run_id).info.experiment_id
    for logged in client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'"):
        if logged.status == LoggedModelStatus.READY:
            return str(logged.model_id)
        client.delete_logged_model(logged.model_id)  # cut off halfway by a crash
    folder = paths.model(record.model)
    images = Schema([TensorSpec(np.dtype(np.float32), (-1, 1, 28, 28))])
    probabilities = Schema([TensorSpec(np.dtype(np.float32), (-1, 10))])
    with mlflow.start_run(run_id=run_id):
        info = mlflow.pytorch.log_model(
            predicting.load(folder),
            name=record.model,
            signature=ModelSignature(images, probabilities),
            input_example=np.zeros((2, 1, 28, 28), np.float32),  # one row would freeze the batch at 1
            pip_requirements=REQUIREMENTS,
            extra_files=[str(folder / checkpoints.WEIGHTS), str(folder / checkpoints.CARD)],
            serialization_format="pt2",
        )
    return str(info.model_id)


def _find_version(client: MlflowClient, record: Record) -> ModelVersion | None:
    query = f"name = '{record.data_name}' and tags.content = '{record.content}'"
    return min(client.search_model_versions(query), key=lambda version: int(version.version), default=None)


def _register(client: MlflowClient, run_id: str, model_id: str, record: Record) -> ModelVersion:
    try:
        client.get_registered_model(record.data_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(
            record.data_name, description=f"Classifiers of the images of {record.data_name}."
        )
    return client.create_model_version(
        record.data_name,
        source=f"models:/{model_id}",
        run_id=run_id,
        model_id=model_id,
        tags=record.version_tags | {"content": record.content},
        description=record.description,
    )


def _crown(client: MlflowClient, records: list[Record], versions: list[ModelVersion]) -> None:
    """Move the alias to the best candidate, if it is better on the same validation images than the present champion."""
    candidates = [(record, version) for record, version in zip(records, versions, strict=True) if record.is_candidate]
    if not candidates:
        return
    best, version = max(candidates, key=lambda pair: pair[0].rank)
    holder = champion(client, best.data_name)
    if holder is not None and not _is_better(best, holder):
        return
    client.set_registered_model_alias(best.data_name, CHAMPION, version.version)
    print(f"{best.model}: version {version.version} is now {best.data_name}@{CHAMPION}", flush=True)


def champion(client: MlflowClient, name: str) -> ModelVersion | None:
    """The version that bears the alias, if any does."""
    number = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if number is None else client.get_model_version(name, number)


def _is_better(challenger: Record, holder: ModelVersion) -> bool:
    tags = holder.tags
    if tags.get("validation_images") != challenger.version_tags["validation_images"]:
        print(f"{challenger.model}: not compared with the champion, which was validated on other images", flush=True)
        return False
    return challenger.rank > (float(tags["validation_accuracy"]), -int(tags["parameters"]))

"""What DVC built, put into MLflow: one run and one registered version for each model and content, and a champion.

Everything is found again by its content (the md5s in dvc.lock) before it is made, so that a second call adds nothing
and a call after a crash completes what is missing. Nothing locks a server that is shared: of several that publish the
same content at once the lowest version stays, and whoever sees others takes them away; who loses a run that way finds
the version that stayed.
"""

from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.entities.logged_model_status import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from mnist_pipeline import networks
from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import paths
from mnist_pipeline.registry import champion, doubles, publication, store, versions
from mnist_pipeline.registry.connection import artifacts, connection, insist
from mnist_pipeline.registry.election import Version
from mnist_pipeline.registry.publication import Record
from mnist_pipeline.results import leaderboard
from mnist_pipeline.training import checkpoints, predictor

COMPLETE = "complete"
REQUIREMENTS = [
    f"mlflow=={mlflow.__version__}",
    f"torch=={torch.__version__.split('+')[0]}",
    f"numpy=={np.__version__}",
]


def publish(models: list[str]) -> None:
    """Put every model into MLflow once, let the best of them challenge the champion, and leave a receipt.

    Raises PipelineError when a model was not built yet or the store can't be used.
    """
    leaderboard.check_leftovers(models)
    lock = lockfile.load()
    records = [publication.gather(model, lock) for model in models]
    with connection() as client:
        published = [_publish_one(client, entry) for entry in records]
        holder = champion.elect(client, records[0].data_name)
    _say_what_was_not_compared(published, holder)
    store.leave_receipt({entry.model: entry.content for entry in records})


def _say_what_was_not_compared(published: list[Version], holder: Version | None) -> None:
    for version in published:
        if holder is not None and version.is_candidate and not version.is_comparable(holder):
            print(f"{version.model}: not compared with the champion, which was validated on other images", flush=True)


def _publish_one(client: MlflowClient, record: Record) -> Version:
    try:
        return _complete(client, record)
    except MlflowException:
        if _find(client, record) is None:
            raise
        return _complete(client, record)  # somebody else was quicker, and took away what this one was writing to


def _complete(client: MlflowClient, record: Record) -> Version:
    version = _find(client, record)
    run_id = version.run_id if version else _find_or_create_run(client, record)
    if client.get_run(run_id).data.tags.get(COMPLETE) != "true":
        _fill_run(client, run_id, record)
    if version is None:
        version = _register(client, run_id, _find_or_log_model(client, run_id, record), record)
    _complete_tags(client, version, record)
    if client.get_run(run_id).info.status != "FINISHED":
        client.set_terminated(run_id)
    return doubles.remove(client, version.name, record.content)


def _complete_tags(client: MlflowClient, version: Version, record: Record) -> None:
    """What an experiment published becomes a candidate once it is applied; a candidate stays one."""
    for key, value in record.version_tags.items():
        if version.tags.get(key) != value and not (key == "candidate" and version.is_candidate):
            client.set_model_version_tag(version.name, str(version.number), key, value)


def _find(client: MlflowClient, record: Record) -> Version | None:
    return versions.with_content(versions.all_of(client, record.data_name), record.content)


def _find_or_create_run(client: MlflowClient, record: Record) -> str:
    experiment_id = _experiment(client, record.data_name)
    found = doubles.runs(client, experiment_id, record.content)
    if found:
        return found[0]
    tags = record.tags | {"content": record.content}
    return str(client.create_run(experiment_id, run_name=record.model, tags=tags).info.run_id)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    database = store.database()
    try:
        return str(client.create_experiment(name, artifact_location=artifacts(database) if database else None))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else's first publication was quicker
            raise
        return _experiment(client, name)


def _fill_run(client: MlflowClient, run_id: str, record: Record) -> None:
    """Params, metrics, inputs and artifacts; each call may be repeated and then changes nothing."""
    when = client.get_run(run_id).info.start_time
    params = [Param(key, value) for key, value in record.params.items()]
    metrics = [Metric(key, value, when, step) for key, value, step in record.metrics]
    insist(client.log_batch, run_id, params=params)
    for start in range(0, len(metrics), 1000):
        insist(client.log_batch, run_id, metrics=metrics[start : start + 1000])
    data = Dataset(record.data_name, record.data_digest[:32], "local", record.data_source, profile=record.data_profile)
    insist(client.log_inputs, run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    for path, folder in record.artifacts:
        client.log_artifact(run_id, str(path), folder)
    client.log_batch(run_id, tags=[RunTag(COMPLETE, "true")])


def _plain_files(record: Record) -> list[str]:
    """What makes the model without MLflow and this project: weights, card, and the network, which needs torch."""
    folder, network = paths.model(record.model), Path(networks.__file__).with_name(f"{record.card.recipe.network}.py")
    return [str(folder / checkpoints.WEIGHTS), str(folder / checkpoints.CARD), network.as_uri()]


def _find_or_log_model(client: MlflowClient, run_id: str, record: Record) -> str:
    experiment_id = client.get_run(run_id).info.experiment_id
    for logged in client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'"):
        if logged.status == LoggedModelStatus.READY:
            return str(logged.model_id)
        if store.database():  # cut off halfway by a crash; on a server somebody else may be writing it
            client.delete_logged_model(logged.model_id)
    folder = paths.model(record.model)
    images = Schema([TensorSpec(np.dtype(np.float32), (-1, 1, 28, 28))])
    probabilities = Schema([TensorSpec(np.dtype(np.float32), (-1, 10))])
    with mlflow.start_run(run_id=run_id):
        info = mlflow.pytorch.log_model(
            predictor.load(folder),
            name=record.model,
            signature=ModelSignature(images, probabilities),
            input_example=np.zeros((2, 1, 28, 28), np.float32),  # one row would freeze the batch at 1
            pip_requirements=REQUIREMENTS,
            extra_files=_plain_files(record),
            serialization_format="pt2",
        )
    return str(info.model_id)


def _register(client: MlflowClient, run_id: str, model_id: str, record: Record) -> Version:
    name = record.data_name
    try:
        client.create_registered_model(name, description=f"Classifiers of the images of {name}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = record.version_tags | {"content": record.content}
    source = f"models:/{model_id}"
    made = client.create_model_version(
        name, source=source, run_id=run_id, model_id=model_id, tags=tags, description=record.description
    )
    print(f"{record.model}: registered as {name} version {made.version}", flush=True)
    return Version(name, int(made.version), run_id, model_id, False, tags)

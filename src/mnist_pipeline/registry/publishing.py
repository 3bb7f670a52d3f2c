"""What DVC built, put into MLflow: one run and one registered version for each model and content, and a champion.

A version is found again by its content (the md5s in dvc.lock), so that a second call adds nothing. A model without a
version is published anew, and what a crash left of it is removed. Nothing locks a shared server: where several publish
the same content at once, the lowest version stays and each of them removes the others; whoever loses a run that way
finds the version that stayed.
"""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
import torch
from mlflow.entities import DatasetInput, InputTag, LoggedModelOutput, LoggedModelStatus, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import paths
from mnist_pipeline.registry import champion, integrity, publication, relocation, store, versions
from mnist_pipeline.registry.connection import EXISTS, GONE, insist, publisher, tolerated
from mnist_pipeline.registry.publication import Publication
from mnist_pipeline.registry.versions import MOVE, Version
from mnist_pipeline.results import leaderboard
from mnist_pipeline.training import checkpoints, predictor

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
    publications = [publication.gather(model, lock) for model in models]
    with publisher() as client:
        relocation.check(publications[0].name)
        for one in publications:
            _publish_one(client, one)
        registered = champion.elect(client, publications[0].name)
    contents, holder = {one.model: one.content for one in publications}, champion.current(registered)
    for version in registered:
        published = version.content in contents.values()
        if holder and published and version.is_candidate and not version.is_comparable(holder):
            print(f"{version.model}: not compared with the champion, which was validated on other images", flush=True)
    store.leave_receipt(contents)


def _publish_one(client: MlflowClient, given: Publication) -> None:
    try:
        insist(_complete, client, given)  # a request whose answer was lost is sent twice, and may be refused for that
    except MlflowException:
        if not versions.all_of(given.name, given.content):
            raise
        _complete(client, given)  # somebody else was quicker, and took away what this one was writing to


def _complete(client: MlflowClient, given: Publication) -> None:
    if not any(versions.run_of(version.run_id) for version in versions.all_of(given.name, given.content)):
        _make(client, given)
    version = _keep_one(client, given)
    if version.model_id and not version.tags.items() >= integrity.marks(given.network).items():
        sums = _upload(client, given, version.run_id, version.model_id)
        for key, value in ({"signed": "no"} | integrity.marks(given.network) | {integrity.TAG: sums}).items():
            client.set_model_version_tag(given.name, str(version.number), key, value)
    for key, value in given.version_tags.items():
        # what an experiment published becomes a candidate once it is applied; a candidate stays one
        if version.tags.get(key) != value and not (key == "candidate" and version.is_candidate):
            client.set_model_version_tag(given.name, str(version.number), key, value)


def _keep_one(client: MlflowClient, given: Publication) -> Version:
    """Leave one version of this content, the lowest whose run was not removed for good, with its run and its model.

    Others come of publishers at once, of one that was killed, and of a request that was sent again since its answer was
    lost. Whoever still writes to another run or model gets an error from MLflow then. Nothing is deleted but what bears
    the tag of this content and was made by `publish`; a version's part in the history goes to the one that is kept.
    """
    registered = versions.all_of(given.name, given.content)
    kept, run = next((one, run) for one in registered if (run := versions.run_of(one.run_id)))
    if run.info.lifecycle_stage == "deleted":
        client.restore_run(kept.run_id)
    for other in (one for one in registered if one is not kept and one.model_id):
        for tag, value in other.tags.items():
            if tag.startswith(MOVE):
                client.set_model_version_tag(kept.name, str(kept.number), tag, value)
        for alias in other.aliases:  # would go with their version
            client.set_registered_model_alias(kept.name, alias, str(kept.number))
        with tolerated(GONE):
            client.delete_model_version(other.name, str(other.number))
    ours = [run.info.experiment_id], f"tags.content = '{given.content}'"
    logged = {one.model_id for one in client.search_logged_models(*ours)}
    for model_id in logged - {kept.model_id} if kept.model_id in logged else ():
        with tolerated(GONE):
            client.delete_logged_model(model_id)
    for other_run in client.search_runs(*ours):
        if other_run.info.run_id != kept.run_id:
            client.delete_run(other_run.info.run_id)
    return kept


def _make(client: MlflowClient, given: Publication) -> None:
    """A run, its model, and the version of that model, which comes last: what has no version is only half made."""
    if client.get_experiment_by_name(given.name) is None:
        with tolerated(EXISTS):
            client.create_experiment(given.name, artifact_location=store.artifacts())
    experiment = client.get_experiment_by_name(given.name)
    run = client.create_run(experiment.experiment_id, run_name=given.model, tags=given.run_tags)
    try:
        with mlflow.start_run(run_id=run.info.run_id):
            _fill(client, run, given)
            model_id, sums = _log_model(client, run, given)
        _register(client, run, model_id, given, sums)
    except MlflowException:
        with suppress(MlflowException):  # what refused the rest may refuse this
            client.delete_run(run.info.run_id)
        raise


def _register(client: MlflowClient, run: Run, model_id: str, given: Publication, sums: str) -> None:
    # the machine is no version tag of the publication: who trains the same bits elsewhere does not change it
    with tolerated(EXISTS):
        client.create_registered_model(given.name, description=f"Classifiers of the images of {given.name}.")
    version = client.create_model_version(
        given.name,
        source=f"models:/{model_id}",
        run_id=run.info.run_id,
        model_id=model_id,
        tags=given.version_tags | {"machine": given.run_tags["machine"], integrity.TAG: sums},
        description=given.description,
    )
    print(f"{given.model}: registered as {given.name} version {version.version}", flush=True)


def _fill(client: MlflowClient, run: Run, given: Publication) -> None:
    """Params, metrics, inputs and artifacts."""
    run_id, when = run.info.run_id, run.info.start_time
    metrics = [Metric(name, value, when, step) for name, value, step in given.metrics]
    client.log_batch(run_id, params=[Param(key, value) for key, value in given.params.items()])
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])
    insist(client.log_inputs, run_id, [DatasetInput(given.dataset, [InputTag("mlflow.data.context", "training")])])
    for path, folder in given.artifacts:
        client.log_artifact(run_id, str(path), folder)


def _log_model(client: MlflowClient, run: Run, given: Publication) -> tuple[str, str]:
    """Log the model of a run; returns its id and the digest of the sums of its files."""
    run_id, tags = run.info.run_id, {"content": given.content}  # ours, and so to be removed when another is kept
    model = client.create_logged_model(run.info.experiment_id, given.model, run_id, tags, given.params)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    sums = _upload(client, given, run_id, model.model_id)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id), sums


def _upload(client: MlflowClient, given: Publication, run_id: str, model_id: str) -> str:
    """Bring the model's files to MLflow: as it has them, and those that make the model without MLflow and us.

    They are summed up, and signed, before they leave this machine. Returns the digest of the sums.
    """
    folder = paths.model(given.model)
    images = Schema([TensorSpec(np.dtype(np.float32), (-1, 1, 28, 28))])
    probabilities = Schema([TensorSpec(np.dtype(np.float32), (-1, 10))])
    with TemporaryDirectory() as temporary:
        saved = Path(temporary) / "model"
        mlflow.pytorch.save_model(
            predictor.load(folder),
            saved,
            mlflow_model=Model(run_id=run_id, model_uuid=model_id, model_id=model_id),
            signature=ModelSignature(images, probabilities),
            input_example=np.zeros((2, 1, 28, 28), np.float32),  # one row would freeze the batch at 1
            pip_requirements=REQUIREMENTS,
            extra_files=[str(folder / checkpoints.WEIGHTS), str(folder / checkpoints.MANIFEST), given.network.as_uri()],
            serialization_format="pt2",
        )
        (saved / integrity.FILES).write_bytes(lockfile.listing(folder))
        sums = integrity.seal(saved)
        client.log_model_artifacts(model_id, str(saved))
    return sums

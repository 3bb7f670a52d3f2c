"""What DVC built, put into MLflow: one run and one registered version for each model and content, and a champion.

A version is found again by its content (the md5s in dvc.lock), so that a second call adds nothing. Nothing locks a
shared server: where several publish the same content at once, the lowest version stays, each of them removes the
others, and whoever loses a run that way finds the version that stayed.
"""

from contextlib import suppress

import mlflow
from mlflow.entities import DatasetInput, InputTag, LoggedModelOutput, LoggedModelStatus, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import champion, integrity, relocation, store, upload, versions
from mnist_pipeline.registry.connection import EXISTS, GONE, insist, publisher, tolerated
from mnist_pipeline.registry.publication import Publication
from mnist_pipeline.registry.tags import MOVE, Version
from mnist_pipeline.results import leftovers


def publish(models: list[str]) -> None:
    """Put every model of params.yaml into MLflow once, as `add` does, and leave a receipt."""
    leftovers.check(models)
    store.leave_receipt(add(models))


def add(models: list[str]) -> dict[str, str]:
    """Put these models into MLflow once and let the best of them challenge the champion; returns the content of each.

    Raises PipelineError when a model was not built yet, the store can't be used, or its experiment was deleted.
    """
    lock = lockfile.load()
    publications = [Publication(model, lock) for model in models]
    name = publications[0].name
    with publisher() as client:
        relocation.check(name)
        _prepare_experiment(client, name)
        for one in publications:
            _publish_one(client, one)
        registered = champion.elect(client, name)
    contents, holder = {one.model: one.content for one in publications}, champion.current(registered)
    for version in registered:
        published = version.content in contents.values()
        if holder and published and version.is_candidate and not version.is_comparable(holder):
            print(f"{version.model}: not compared with the champion, which was validated on other images", flush=True)
    return contents


def _prepare_experiment(client: MlflowClient, name: str) -> None:
    """Make it. Raises PipelineError when somebody deleted it: what else would come back with it, they have to know."""
    there = client.get_experiment_by_name(name)
    if there is None:
        with tolerated(EXISTS):
            insist(client.create_experiment, name, store.artifacts())
    elif there.lifecycle_stage == "deleted":
        address = store.shown(store.address())
        raise PipelineError(
            f"MLflow's store at {address}: experiment {name} was deleted; to restore it with all its runs: "
            f"MLFLOW_TRACKING_URI='{address}' mlflow experiments restore --experiment-id {there.experiment_id}; "
            "or name another store in MLFLOW_TRACKING_URI; then run this again"
        )


def _publish_one(client: MlflowClient, given: Publication) -> None:
    try:
        insist(_complete, client, given)  # a request whose answer was lost is sent twice, and may be refused for that
    except MlflowException:
        if not versions.all_of(given.name, given.content):
            raise
        _complete(client, given)  # somebody else was quicker, and took away what this one was writing to


def _complete(client: MlflowClient, given: Publication) -> None:
    found = _keep_one(client, given)
    if not found:
        _make(client, given)
        found = _keep_one(client, given)
    if not found:
        raise PipelineError(f"{given.model}: somebody removed it from the store at once; run `mnist publish` again")
    version, listed = found
    if not listed:
        print(f"{version}: the store has lost its files; uploading them again", flush=True)
        _log_results(client, version.run_id, given)
    if not listed or (version.model_id and not version.tags.items() >= integrity.marks(given.network).items()):
        upload.renew(client, given, version)
    for key, value in given.version_tags.items():
        # what an experiment published becomes a candidate once it is applied; a candidate stays one
        if version.tags.get(key) != value and not (key == "candidate" and version.is_candidate):
            client.set_model_version_tag(given.name, str(version.number), key, value)


def _keep_one(client: MlflowClient, given: Publication) -> tuple[Version, bool] | None:
    """Leave one version of this content, the lowest whose run and model were not removed for good, with both; returns
    it, and whether its files are there. None, and nothing is done, where there is no such version.

    Others come of publishers at once, of one that was killed, and of a request whose answer was lost. Nothing is
    deleted but what `publish` made of this content; a version's part in the history goes to the one that is kept.
    """
    registered = versions.all_of(given.name, given.content)
    for kept in registered:
        run = versions.run_of(kept.run_id)
        listed = upload.is_listed(client, kept) if run else None
        if run and listed is not None:
            break
    else:
        return None
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
    return kept, listed


def _make(client: MlflowClient, given: Publication) -> None:
    """A run, its model, and the version of that model, which comes last: what has no version is only half made."""
    experiment = client.get_experiment_by_name(given.name)
    run = client.create_run(experiment.experiment_id, run_name=given.model, tags=given.run_tags)
    try:
        with mlflow.start_run(run_id=run.info.run_id):
            _fill(client, run, given)
            model_id, sums = _log_model(client, run, given)
        with tolerated(EXISTS):
            client.create_registered_model(given.name, description=f"Classifiers of the images of {given.name}.")
        version = client.create_model_version(
            given.name,
            source=f"models:/{model_id}",
            run_id=run.info.run_id,
            model_id=model_id,
            # the machine is no version tag of the publication: to train the same bits elsewhere does not change it
            tags=given.version_tags | {"machine": given.run_tags["machine"], integrity.TAG: sums},
            description=given.description,
        )
    except MlflowException:
        with suppress(MlflowException):  # what refused the rest may refuse this
            client.delete_run(run.info.run_id)
        raise
    print(f"{given.model}: registered as {given.name} version {version.version}", flush=True)


def _fill(client: MlflowClient, run: Run, given: Publication) -> None:
    """Params, metrics, inputs and artifacts."""
    run_id, when = run.info.run_id, run.info.start_time
    client.log_batch(run_id, params=[Param(key, value) for key, value in given.params.items()])
    metrics = [Metric(name, value, when, step) for name, value, step in given.metrics]
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])
    insist(_log_dataset, client, run_id, given)
    _log_results(client, run_id, given)


def _log_dataset(client: MlflowClient, run_id: str, given: Publication) -> None:
    """Unless it is there: MLflow refuses it a second time, also when only its answer to the first one was lost."""
    if not client.get_run(run_id).inputs.dataset_inputs:
        client.log_inputs(run_id, [DatasetInput(given.dataset, [InputTag("mlflow.data.context", "training")])])


def _log_output(client: MlflowClient, run_id: str, model_id: str) -> None:
    """Likewise."""
    if not client.get_run(run_id).outputs.model_outputs:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def _log_results(client: MlflowClient, run_id: str, given: Publication) -> None:
    for path, folder in given.artifacts:
        client.log_artifact(run_id, str(path), folder)


def _log_model(client: MlflowClient, run: Run, given: Publication) -> tuple[str, str]:
    """Log the model of a run; returns its id and the digest of the sums of its files."""
    run_id, tags = run.info.run_id, {"content": given.content}  # ours, and so to be removed when another is kept
    model = client.create_logged_model(run.info.experiment_id, given.model, run_id, tags, given.params)
    insist(_log_output, client, run_id, model.model_id)
    with upload.saved(given, run_id, model.model_id) as (folder, sums):
        client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id), sums

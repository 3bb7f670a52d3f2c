"""Of each content one version, one run and one model: what else there is was made by others at once, or half made.

Several may publish to a server at the same time, and one may be killed. A request whose answer was lost is sent again
and then executed twice.
"""

from collections.abc import Callable

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mnist_pipeline.registry import versions
from mnist_pipeline.registry.election import Version


def runs(client: MlflowClient, experiment_id: str, content: str) -> list[str]:
    """The runs of a content, finished or not, the oldest first."""
    found = client.search_runs([experiment_id], f"tags.content = '{content}'", order_by=["start_time ASC"])
    return [str(run.info.run_id) for run in found]


def remove(client: MlflowClient, name: str, content: str) -> Version:
    """Leave the lowest version of a content, which has to be there, with its run and its model; returns it.

    Whoever is still writing to another run or model gets an error from MLflow then.
    """
    kept, *others = [one for one in versions.all_of(client, name) if one.content == content]
    for double in others:
        _unless_gone(client.delete_model_version, double.name, str(double.number))
    experiment_id = client.get_run(kept.run_id).info.experiment_id
    for run_id in {kept.run_id, *runs(client, experiment_id, content)}:
        for model_id in _models(client, experiment_id, run_id) - {kept.model_id}:
            _unless_gone(client.delete_logged_model, model_id)
        if run_id != kept.run_id:
            _unless_gone(client.delete_run, run_id)
    return kept


def _models(client: MlflowClient, experiment_id: str, run_id: str) -> set[str]:
    """What was logged in a run, whole or not."""
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    return {str(logged.model_id) for logged in found}


def _unless_gone(delete: Callable[..., None], *what: str) -> None:
    try:
        delete(*what)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # somebody else tidied up
            raise

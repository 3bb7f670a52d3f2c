"""Keep one version, run and model of each content; remove what concurrent publishers or crashes left.

Several may publish to a server at the same time, and one may be killed. A request whose answer was lost is sent again
and then executed twice.
"""

from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from mnist_pipeline.registry import versions
from mnist_pipeline.registry.connection import tolerated
from mnist_pipeline.registry.versions import Version

GONE = "RESOURCE_DOES_NOT_EXIST"  # somebody else deleted it meanwhile


def remove(client: MlflowClient, name: str, content: str) -> Version:
    """Leave the lowest version of a content, which has to be there, with its run and its model; returns it.

    Whoever is still writing to another run or model gets an error from MLflow then. A run that is deleted already is
    looked at, too: its writer may have begun a model before noticing.
    """
    kept, *others = versions.all_of(name, content)
    for duplicate in others:
        with tolerated(GONE):
            client.delete_model_version(name, str(duplicate.number))
    experiment_id = client.get_run(kept.run_id).info.experiment_id
    for run in client.search_runs([experiment_id], f"tags.content = '{content}'", ViewType.ALL):
        for logged in client.search_logged_models([experiment_id], f"source_run_id = '{run.info.run_id}'"):
            if logged.model_id != kept.model_id:
                with tolerated(GONE):
                    client.delete_logged_model(logged.model_id)
        if run.info.run_id != kept.run_id and run.info.lifecycle_stage == "active":
            client.delete_run(run.info.run_id)
    return kept

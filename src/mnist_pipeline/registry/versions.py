"""The versions of a registered model: which there are. To be asked inside a connection."""

import sys
from collections.abc import Iterable

import mlflow
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import tags
from mnist_pipeline.registry.connection import GONE, existing, tolerated
from mnist_pipeline.registry.tags import CHAMPION, Row, Version


def all_of(name: str, content: str | None = None) -> list[Version]:
    """The versions of a registered model, oldest first; with `content` only those that hold these results.

    None when there is no such model. Tags of ours that can't be read are left out; of all versions a note names them.
    """
    bearers: dict[str, str] = {}
    with tolerated(GONE):
        bearers = MlflowClient().get_registered_model(name).aliases  # the versions that a search finds have none
    query = f"name = '{name}'" + (f" AND tags.content = '{content}'" if content else "")
    rows = []
    for one in mlflow.search_model_versions(filter_string=query):
        aliases = [alias for alias, bearer in bearers.items() if int(bearer) == int(one.version)]
        rows.append(Row(int(one.version), one.run_id, one.source, aliases, one.tags))
    return tags.versions(name, rows, note=content is None)


def run_of(run_id: str) -> Run | None:
    """A run, be it deleted; None where it was removed for good, as `mlflow gc` does, or a version names none."""
    with tolerated(GONE):
        return MlflowClient().get_run(run_id) if run_id else None
    return None


def are_held(contents: Iterable[str]) -> bool:
    """Whether a server has a version and a run of each of these contents; if it can't be asked a note says so."""
    try:
        with existing():
            for content in contents:
                found = mlflow.search_model_versions(filter_string=f"tags.content = '{content}'")
                runs = [run for one in found if (run := run_of(one.run_id))]
                if not any(run.info.lifecycle_stage == "active" for run in runs):
                    return False
    except PipelineError as error:
        print(f"note: {error}; what was published there is taken to be there", file=sys.stderr, flush=True)
    return True


def numbered(name: str, number: int) -> Version:
    """The version of that number. Raises PipelineError that lists those there are."""
    registered = {version.number: version for version in all_of(name)}
    if number not in registered:
        there = ", ".join(map(str, registered)) or "none"
        raise PipelineError(f"{name}: no version {number} is registered; there are: {there}")
    return registered[number]


def bearing(name: str, alias: str) -> Version:
    """The version that bears an alias. Raises PipelineError when none does."""
    for version in all_of(name):
        if alias in version.aliases:
            return version
    raise PipelineError(f"{name}: no version bears the alias {alias}; the one that `publish` gives is {CHAMPION}")


def holding(name: str, content: str, what: str) -> Version:
    """The version that holds these results; `what` says in words whose they are. Raises PipelineError if none does."""
    for version in all_of(name, content):
        return version
    raise PipelineError(
        f"{what}: not registered in this store; check that commit out in a clone, then `make repro` there, "
        "which publishes it"
    )

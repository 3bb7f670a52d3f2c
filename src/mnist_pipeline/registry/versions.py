"""What the registry holds."""

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry.election import CHAMPION, Version


def all_of(client: MlflowClient, name: str) -> list[Version]:
    """Every version of a registered model, oldest first; none when there is no such model."""
    number = aliases(client, name).get(CHAMPION)
    found: list[ModelVersion] = []
    page = client.search_model_versions(f"name = '{name}'", max_results=1000)
    found += page
    while page.token:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=page.token)
        found += page
    versions = [_version(entry, number) for entry in found]
    return sorted(versions, key=lambda version: version.number)


def aliases(client: MlflowClient, name: str) -> dict[str, int]:
    """Which version bears which alias; none when there is no such model."""
    try:
        found = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return {alias: int(number) for alias, number in found.items()}


def find(versions: list[Version], name: str, number: int) -> Version:
    """The version of that number. Raises PipelineError that lists those there are."""
    for version in versions:
        if version.number == number:
            return version
    there = ", ".join(str(version.number) for version in versions) or "none"
    raise PipelineError(f"{name}: no version {number} is registered; there are: {there}")


def with_content(versions: list[Version], content: str) -> Version | None:
    """The lowest version that holds these results."""
    return next((version for version in versions if version.content == content), None)


def _version(entry: ModelVersion, champion: int | None) -> Version:
    number, model_id = int(entry.version), entry.source.removeprefix("models:/")
    return Version(entry.name, number, entry.run_id or "", model_id, number == champion, dict(entry.tags))

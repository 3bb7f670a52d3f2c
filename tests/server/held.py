"""What a tracking server holds under one name, as any client sees it, and what a repository would have it hold."""

from collections import Counter
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from mnist_pipeline.core import files
from tests.repository import Repository


@dataclass(frozen=True)
class Held:
    """The runs of an experiment that are not deleted, the versions of the model of that name, and its champion."""

    runs: list[Run]
    versions: list[ModelVersion]
    champion: ModelVersion

    @property
    def contents_of_runs(self) -> Counter[str]:
        return Counter(run.data.tags["content"] for run in self.runs)

    @property
    def contents_of_versions(self) -> Counter[str]:
        return Counter(version.tags["content"] for version in self.versions)


def look(address: str, name: str) -> Held:
    """Ask the server; every run has to be finished, and every version has to be of one of the runs."""
    client = MlflowClient(address, address)
    runs = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    versions = client.search_model_versions(f"name = '{name}'")
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {version.run_id for version in versions} == {run.info.run_id for run in runs}
    return Held(runs, versions, client.get_model_version_by_alias(name, "champion"))


def expected(*repositories: Repository) -> dict[str, tuple[float, int]]:
    """The content of each model that was published, with what the champion is chosen by."""
    return {
        content: _rank(repository, model)
        for repository in repositories
        for model, content in files.read_json(repository.path / ".mlflow/receipt.json").items()
    }


def _rank(repository: Repository, model: str) -> tuple[float, int]:
    figures = files.read_json(repository.path / f"metrics/models/{model}.json")
    manifest = files.read_json(repository.path / f"models/{model}/model.json")
    return figures["validation_accuracy"], -manifest["parameters"]

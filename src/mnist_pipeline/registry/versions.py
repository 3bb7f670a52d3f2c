"""The versions of a registered model: which there are, and what their tags say. To be asked inside a connection."""

from dataclasses import dataclass

import mlflow
from mlflow.tracking import MlflowClient

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry.connection import GONE, tolerated

CHAMPION = "champion"
CANDIDATE = "yes"


@dataclass(frozen=True)
class Version:
    """A version of the registered model `name`; its tags are those that `publish` gave it."""

    name: str
    number: int
    run_id: str
    model_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]

    @property
    def is_champion(self) -> bool:
        return CHAMPION in self.aliases

    @property
    def is_candidate(self) -> bool:
        return self.tags.get("candidate") == CANDIDATE

    @property
    def model(self) -> str:
        return self.tags.get("model", "unknown")

    @property
    def content(self) -> str:
        """The digest of all that training and evaluation left; empty where its tags do not say so."""
        return self.tags.get("content", "")

    @property
    def test_accuracy(self) -> float | None:
        """Share of the test images, 0–1; None where its tags do not say so."""
        accuracy = self.tags.get("test_accuracy")
        return None if accuracy is None else float(accuracy)

    @property
    def rank(self) -> tuple[float, int] | None:
        """What the champion is chosen by: validation accuracy, then fewer parameters; None if it was not validated."""
        accuracy = self.tags.get("validation_accuracy")
        return None if accuracy is None else (float(accuracy), -int(self.tags["parameters"]))

    def is_comparable(self, other: "Version") -> bool:
        """Whether both were validated on the same images."""
        images = self.tags.get("validation_images")
        return images is not None and images == other.tags.get("validation_images")

    def beats(self, other: "Version") -> bool:
        """Whether it is better on the same validation images."""
        ours, theirs = self.rank, other.rank
        return self.is_comparable(other) and ours is not None and theirs is not None and ours > theirs

    def __str__(self) -> str:
        return f"{self.name} version {self.number} ({self.model})"


def all_of(name: str, content: str | None = None) -> list[Version]:
    """The versions of a registered model, oldest first; with `content` only those that hold these results.

    None when there is no such model.
    """
    bearers: dict[str, str] = {}
    with tolerated(GONE):
        bearers = MlflowClient().get_registered_model(name).aliases  # the versions that a search finds have none
    query = f"name = '{name}'" + (f" AND tags.content = '{content}'" if content else "")
    found = []
    for one in mlflow.search_model_versions(filter_string=query):
        number, model_id = int(one.version), one.source.removeprefix("models:/")
        aliases = tuple(alias for alias, bearer in bearers.items() if int(bearer) == number)
        found.append(Version(name, number, one.run_id or "", model_id, aliases, dict(one.tags)))
    return sorted(found, key=lambda version: version.number)


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

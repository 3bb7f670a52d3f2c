"""The versions of a registered model: which there are, and what their tags say. To be asked inside a connection."""

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal

import mlflow
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from pydantic import AwareDatetime, BaseModel

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.registry.connection import GONE, existing, tolerated

CHAMPION = "champion"
CANDIDATE = "yes"
CLASSES = " | "  # between their names in a tag; none has such a bar
MOVE = f"{CHAMPION}."  # begins the tag of a move of the alias; its time follows


@dataclass(frozen=True)
class Version:
    """A version of the registered model `name`; its tags are those that `publish` gave it.

    `model_id` is empty where something else than `publish` made it, such as MLflow's `copy_model_version`.
    """

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
        model = self.tags.get("model", "unknown")
        return model if model.isprintable() else ascii(model)  # a tag, which anybody may have written

    @property
    def classes(self) -> list[str]:
        """What the model's labels are called; the ten digits where its tags do not say so."""
        return self.tags["classes"].split(CLASSES) if "classes" in self.tags else DIGITS

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
        """What the champion is chosen by: validation accuracy, then fewer parameters; None where its tags lack one."""
        accuracy, parameters = self.tags.get("validation_accuracy"), self.tags.get("parameters")
        return None if accuracy is None or parameters is None else (float(accuracy), -int(parameters))

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


class Reign(BaseModel, frozen=True):
    """A version became champion at `since`; `highest` is the newest version that existed then."""

    since: AwareDatetime
    version: Version
    by: Literal["publish", "promote", "rollback"]
    reason: str
    highest: int


def all_of(name: str, content: str | None = None) -> list[Version]:
    """The versions of a registered model, oldest first; with `content` only those that hold these results.

    None when there is no such model. Tags of ours that can't be read are left out; of all versions a note names them.
    """
    bearers: dict[str, str] = {}
    with tolerated(GONE):
        bearers = MlflowClient().get_registered_model(name).aliases  # the versions that a search finds have none
    query = f"name = '{name}'" + (f" AND tags.content = '{content}'" if content else "")
    found, odd = [], []
    for one in sorted(mlflow.search_model_versions(filter_string=query), key=lambda one: int(one.version)):
        number, source = int(one.version), re.fullmatch("models:/(m-[^/]+)", one.source)
        aliases = tuple(alias for alias, bearer in bearers.items() if int(bearer) == number)
        version = Version(name, number, one.run_id or "", source[1] if source else "", aliases, one.tags)
        readable = {tag: value for tag, value in one.tags.items() if _is_readable(version, tag)}
        odd += [f"{tag!r}={value!r} of {version}" for tag, value in one.tags.items() if tag not in readable]
        found.append(replace(version, tags=readable))
    if odd and content is None:
        _note(", ".join(odd))
    return found


def reigns(registered: list[Version]) -> list[Reign]:
    """Every recorded move of the alias, oldest first; a copy of a version, which has its tags, was not moved to."""
    first = {tag: version for version in reversed(registered) for tag in version.tags if tag.startswith(MOVE)}
    return sorted((_reign(version, tag) for tag, version in first.items()), key=lambda reign: reign.since)


def _is_readable(version: Version, tag: str) -> bool:
    """Whether a tag, if it is one of ours, is as `mnist` writes it."""
    try:
        if tag.startswith(MOVE):
            return _reign(version, tag).since < datetime.now(UTC) + timedelta(days=1)
        if tag == "parameters":
            int(version.tags[tag])
        elif tag in ("test_accuracy", "validation_accuracy"):
            return 0 <= float(version.tags[tag]) <= 1
    except (TypeError, ValueError, OverflowError, RecursionError):  # times before the year 1; JSON in JSON in JSON…
        return False
    return True


def _reign(version: Version, tag: str) -> Reign:
    found = json.loads(version.tags[tag]) | {"version": version, "since": tag.removeprefix(MOVE)}
    reign = Reign.model_validate(found)
    return reign.model_copy(update={"since": reign.since.astimezone(UTC)})


@cache
def _note(odd: str) -> None:
    print(f"note: tags passed over, since `mnist` writes none like that: {odd}", file=sys.stderr, flush=True)


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

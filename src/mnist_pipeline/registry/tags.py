"""A version of a registered model, and the moves of its alias, by what its tags say; nothing here needs MLflow."""

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel

from mnist_pipeline.core.params import DIGITS

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


class Row(NamedTuple):
    """What a store says of a version."""

    number: int
    run_id: str | None
    source: str
    aliases: Iterable[str]
    tags: dict[str, str]


def versions(name: str, rows: Iterable[Row], note: bool) -> list[Version]:
    """The versions in these rows, oldest first, without tags of ours that can't be read; with `note` a line says so."""
    found, odd = [], []
    for row in sorted(rows, key=lambda row: row.number):
        source = re.fullmatch("models:/(m-[^/]+)", row.source)
        model_id = source[1] if source else ""
        version = Version(name, row.number, row.run_id or "", model_id, tuple(row.aliases), row.tags)
        readable = {tag: value for tag, value in row.tags.items() if _is_readable(version, tag)}
        odd += [f"{tag!r}={value!r} of {version}" for tag, value in row.tags.items() if tag not in readable]
        found.append(replace(version, tags=readable))
    if odd and note:
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

"""Who of the registered versions is to be champion, and who was: by what their tags say. MLflow is not needed.

Every move of the alias leaves a tag on the version that was chosen, so that the history needs no place of its own and
two that publish at once never overwrite each other's. A decision by hand holds against every version that existed then.
"""

import json
from dataclasses import dataclass
from datetime import datetime

CHAMPION = "champion"
CANDIDATE = "yes"
TAG = f"{CHAMPION}."
PUBLISH, PROMOTE, ROLLBACK = "publish", "promote", "rollback"


@dataclass(frozen=True)
class Version:
    """A version of the registered model `name`; its tags are those that `publish` gave it."""

    name: str
    number: int
    run_id: str
    model_id: str
    is_champion: bool
    tags: dict[str, str]

    @property
    def model(self) -> str:
        return self.tags.get("model", "unknown")

    @property
    def content(self) -> str | None:
        """The digest of all that training and evaluation left."""
        return self.tags.get("content")

    @property
    def test_accuracy(self) -> float | None:
        """Share of the test images, 0–1; None where its tags do not say so."""
        accuracy = self.tags.get("test_accuracy")
        return None if accuracy is None else float(accuracy)

    @property
    def is_candidate(self) -> bool:
        return self.tags.get("candidate") == CANDIDATE

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
        if self.rank is None or other.rank is None:
            return False
        return self.is_comparable(other) and self.rank > other.rank

    def __str__(self) -> str:
        return f"{self.name} version {self.number} ({self.model})"


@dataclass(frozen=True)
class Reign:
    """A version became champion at `since` (UTC); `highest` is the newest version that existed then."""

    since: datetime
    version: Version
    by: str
    reason: str
    highest: int


def history(registered: list[Version]) -> list[Reign]:
    """Every move of the alias, oldest first."""
    reigns = []
    for version in registered:
        for tag, value in version.tags.items():
            if tag.startswith(TAG):
                since = datetime.fromisoformat(tag.removeprefix(TAG))
                reigns.append(Reign(since=since, version=version, **json.loads(value)))
    return sorted(reigns, key=lambda reign: reign.since)


def champion(versions: list[Version]) -> Version | None:
    return next((version for version in versions if version.is_champion), None)


def choose(registered: list[Version]) -> Version | None:
    """The version to be champion: the present one, unless a candidate beats it that no decision by hand passed over.

    What was decided by hand counts, too, where the alias was lost or moved by somebody who had not seen the decision.
    """
    holder, passed_over = champion(registered), 0
    by_hand = [reign for reign in history(registered) if reign.by != PUBLISH]
    if by_hand:
        passed_over = by_hand[-1].highest
        if holder is None or holder.number <= passed_over:
            holder = by_hand[-1].version
    rivals = [version for version in registered if version.is_candidate and version.number > passed_over]
    if holder is None:
        rivals = [version for version in rivals if version.is_comparable(rivals[-1])]
    else:
        rivals = [version for version in rivals if version.beats(holder)]
    return max(rivals, key=lambda version: version.rank or (0.0, 0), default=holder)


def predecessor(registered: list[Version]) -> Version | None:
    """Who bore the alias before its present bearer, where every rollback undid the move before it."""
    stack: list[Version] = []
    for reign in history(registered):
        if reign.by == ROLLBACK:
            stack = stack[:-1]
        elif not stack or stack[-1].number != reign.version.number:
            stack.append(reign.version)
    earlier = [version for version in stack if not version.is_champion]
    return earlier[-1] if earlier else None

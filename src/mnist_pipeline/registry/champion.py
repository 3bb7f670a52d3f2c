"""The alias `champion`: which version is to bear it, which did, and how `publish` and people move it.

Every move of the alias leaves a tag on the version that was chosen: two that publish at once never overwrite each
other's. A decision by hand holds against every version that existed then.
"""

import json
from datetime import UTC, datetime, timedelta

from mlflow.tracking import MlflowClient

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.tables import CONTROL
from mnist_pipeline.registry import store, versions
from mnist_pipeline.registry.connection import existing, insist
from mnist_pipeline.registry.tags import CHAMPION, MOVE, Version, reigns

PUBLISH, PROMOTE, ROLLBACK = "publish", "promote", "rollback"
ROUNDS = 10  # publishers that meet agree after two or three


def current(registered: list[Version]) -> Version | None:
    return next((version for version in registered if version.is_champion), None)


def choose(registered: list[Version]) -> Version | None:
    """The champion to be: the current one, unless a candidate that is newer than the last manual decision beats it.

    What was decided by hand counts, too, where the alias was lost or moved by somebody who had not seen the decision.
    """
    holder, passed_over = current(registered), 0
    by_hand = [reign for reign in reigns(registered) if reign.by != PUBLISH]
    if by_hand:
        passed_over = by_hand[-1].highest
        if holder is None or holder.number <= passed_over:
            holder = by_hand[-1].version
    newer = [one for one in registered if one.is_candidate and one.rank and one.number > passed_over]
    rivals = [one for one in newer if (one.beats(holder) if holder else one.is_comparable(newer[-1]))]
    return max(rivals, key=lambda version: version.rank or (0.0, 0), default=holder)


def elect(client: MlflowClient, name: str) -> list[Version]:
    """Give the alias to the best candidate of all; returns all versions as they are then.

    It looks again after each move, since whoever writes last sees everything. Raises PipelineError when the alias is
    elsewhere again after each of `ROUNDS` moves.
    """
    for _ in range(ROUNDS):
        registered = versions.all_of(name)
        best, holder = choose(registered), current(registered)
        if best is None or best.is_champion:
            return registered
        reason = "the best of the candidates"
        if holder:
            better = f"better on the validation images than version {holder.number}"
            reason = better if best.beats(holder) else "decided by hand before"
        _crown(client, registered, best, PUBLISH, reason)
        print(f"{best.model}: version {best.number} is now {name}@{CHAMPION}", flush=True)
    last = reigns(registered)[-1]
    mover = f"`mnist {last.by}`" if last.version is holder else "a program other than `mnist`"
    raise PipelineError(
        f"{name}@{CHAMPION}: given to {best} {ROUNDS} times, and each time somebody moved it away, the last time "
        f"{mover} to {holder or 'nobody'}; end that, then run `mnist publish` again"
    )


def promote(name: str, number: int, reason: str, force: bool) -> Version:
    """Make a version champion by hand. Raises PipelineError when it may not be, or is worse and not forced."""
    with existing() as client, store.lock():
        chosen, registered = versions.numbered(name, number), versions.all_of(name)
        holder, worse = current(registered), ""
        if not chosen.is_candidate:
            why = chosen.tags.get("candidate", "no: its tags do not say so; `mnist publish` its commit again")
            raise PipelineError(f"{chosen}: can't be champion ({CONTROL.sub('?', why.removeprefix('no: '))})")
        if holder and holder.number != number and not chosen.is_comparable(holder):
            worse = f"was validated on other images than {holder}"
        elif holder and holder.beats(chosen):
            ours, theirs = (float(version.tags["validation_accuracy"]) for version in (chosen, holder))
            worse = f"worse on the validation images than {holder}, {ours:.2%} against {theirs:.2%}"
        if worse and not force:
            raise PipelineError(f"{chosen}: {worse}; if it shall be champion all the same: --force")
        _crown(client, registered, chosen, PROMOTE, reason)
    return chosen


def rollback(name: str, reason: str) -> Version:
    """Give the alias back to the champion before; again, to the one before that. Raises PipelineError at the first."""
    with existing() as client, store.lock():
        registered, stack = versions.all_of(name), list[Version]()
        for reign in reigns(registered):
            if reign.by == ROLLBACK:  # it undid the move before it
                stack = stack[:-1]
            elif not stack or stack[-1].number != reign.version.number:
                stack.append(reign.version)
        before = next((version for version in reversed(stack) if not version.is_champion), None)
        if before is None:
            raise PipelineError(f"{name}: no champion before the present one is on record; see: mnist history")
        _crown(client, registered, before, ROLLBACK, reason)
    return before


def _crown(client: MlflowClient, registered: list[Version], chosen: Version, by: str, reason: str) -> None:
    """Note the move on the version, then move the alias; killed in between, the next one does not note it twice."""
    moves = reigns(registered)
    if not (by == PUBLISH and moves and moves[-1].version.number == chosen.number):
        since = max([datetime.now(UTC), *(move.since + timedelta(microseconds=1) for move in moves)])
        entry = {"by": by, "reason": reason, "highest": registered[-1].number}
        tag = f"{MOVE}{since:%Y-%m-%dT%H:%M:%S.%fZ}"
        client.set_model_version_tag(chosen.name, str(chosen.number), tag, json.dumps(entry))
    insist(client.set_registered_model_alias, chosen.name, CHAMPION, str(chosen.number))

"""The alias `champion`: moved by `publish` to the best candidate, or by hand."""

import json
from datetime import UTC, datetime, timedelta

from mlflow.tracking import MlflowClient

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import election, versions
from mnist_pipeline.registry.connection import existing, insist
from mnist_pipeline.registry.election import CHAMPION, PROMOTE, PUBLISH, ROLLBACK, TAG, Reign, Version


def recorded(name: str) -> list[Reign]:
    """The history of the alias in the store."""
    with existing() as client:
        return election.history(versions.all_of(client, name))


def elect(client: MlflowClient, name: str) -> Version | None:
    """Give the alias to the best candidate of all; returns who bears it then.

    It looks again after each move: somebody else may have registered or crowned meanwhile, and whoever writes last
    also sees everything.
    """
    while True:
        registered = versions.all_of(client, name)
        best, holder = election.choose(registered), election.champion(registered)
        if best is None or best.is_champion:
            return best
        _crown(client, registered, best, PUBLISH, _why(best, holder))
        print(f"{best.model}: version {best.number} is now {name}@{CHAMPION}", flush=True)


def _why(best: Version, holder: Version | None) -> str:
    if holder is None:
        return "the best of the candidates"
    beats = best.beats(holder)
    return f"better on the validation images than version {holder.number}" if beats else "decided by hand before"


def promote(name: str, number: int, reason: str, force: bool) -> Version:
    """Make a version champion by hand. Raises PipelineError when it may not be, or is worse and not forced."""
    with existing() as client:
        registered = versions.all_of(client, name)
        chosen = versions.find(registered, name, number)
        _check_promotion(chosen, election.champion(registered), force)
        _crown(client, registered, chosen, PROMOTE, reason)
    return chosen


def _check_promotion(chosen: Version, holder: Version | None, force: bool) -> None:
    if not chosen.is_candidate:
        why = chosen.tags.get("candidate", "no: its tags do not say so; `mnist publish` its commit again")
        raise PipelineError(f"{chosen}: can't be champion ({why.removeprefix('no: ')})")
    if holder is None or holder.number == chosen.number or force:
        return
    if not chosen.is_comparable(holder):
        raise PipelineError(
            f"{chosen}: was validated on other images than {holder}; if it shall be champion all the same: --force"
        )
    if holder.beats(chosen):
        ours, theirs = (version.tags["validation_accuracy"] for version in (chosen, holder))
        raise PipelineError(
            f"{chosen}: worse on the validation images than {holder}, {float(ours):.2%} against "
            f"{float(theirs):.2%}; if it shall be champion all the same: --force"
        )


def rollback(name: str, reason: str) -> Version:
    """Give the alias back to who bore it before; again, to the one before that. Raises PipelineError at the first."""
    with existing() as client:
        registered = versions.all_of(client, name)
        before = election.predecessor(registered)
        if before is None:
            raise PipelineError(f"{name}: no champion before the present one is on record; see: mnist history")
        _crown(client, registered, before, ROLLBACK, reason)
    return before


def _crown(client: MlflowClient, registered: list[Version], chosen: Version, by: str, reason: str) -> None:
    """Note the move on the version, then move the alias; killed in between, the next one does not note it twice."""
    reigns = election.history(registered)
    if not (by == PUBLISH and reigns and reigns[-1].version.number == chosen.number):
        now = datetime.now(UTC)
        since = max(now, reigns[-1].since + timedelta(microseconds=1)) if reigns else now
        entry = {"by": by, "reason": reason, "highest": registered[-1].number}
        tag = f"{TAG}{since:%Y-%m-%dT%H:%M:%S.%fZ}"
        client.set_model_version_tag(chosen.name, str(chosen.number), tag, json.dumps(entry))
    insist(client.set_registered_model_alias, chosen.name, CHAMPION, str(chosen.number))

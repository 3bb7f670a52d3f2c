"""What changed between two revisions: params.yaml key by key, and the files that the stages read."""

from dataclasses import dataclass
from typing import Any

from mnist_pipeline.commits import lockfile
from mnist_pipeline.commits.lockfile import LOCK, Lock
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core.paths import PARAMS
from mnist_pipeline.core.tables import ABSENT, flat


@dataclass(frozen=True)
class Change:
    """A key such as `optimizer.learning_rate` with both of its values; None where it is not there."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = (ABSENT if value is None else value for value in (self.before, self.after))
        return f"{self.key} {before} → {after}"


def between(before: Any, after: Any) -> list[Change]:
    """The keys whose values differ, in the order of the second, then those that only the first has.

    Values are the same when a file shows them alike: 1, 1.0 and true are three.
    """
    old, new = flat(before), flat(after)
    keys = [key for key in new | old if repr(old.get(key, ...)) != repr(new.get(key, ...))]
    return [Change(key, old.get(key), new.get(key)) for key in keys]


def unbuilt(revision: Revision) -> str:
    """A sentence on models whose results are not those of params.yaml and dvc.lock; empty when there are none."""
    if not revision.has(LOCK):
        return f"{revision}: has no {LOCK}, so nothing tells whether its results are those of its params.yaml"
    stale, absent = [], []
    for model in revision.models:
        # `verify` has the parameters of the data and of the split
        stages = [revision.lock.stages.get(stage) for stage in ("verify", *lockfile.stages_of(model))]
        recorded = [stage.params.get(PARAMS.name, {}) for stage in stages if stage]
        if None in stages:
            absent.append(model)
        elif any(_at(revision.params, key) != value for values in recorded for key, value in values.items()):
            stale.append(model)
    found = {"trained with other values than its params.yaml has": stale, f"not in its {LOCK}": absent}
    said = [f"{what}: {', '.join(models)}" for what, models in found.items() if models]
    advice = "run `make repro` first" if revision.commit is None else "it was committed without `make repro`"
    return f"{revision}: {'; '.join([*said, advice])}" if said else ""


def _at(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return content


def of_files(before: Revision, after: Revision, models: list[str]) -> str:
    """A sentence on the files and versions that these models' stages read and that are others; outputs are left out."""
    if not models or not (before.has(LOCK) and after.has(LOCK)):
        return ""
    locks = before.lock, after.lock
    made = {path for lock in locks for stage in lock.stages for path in lock.outputs(stage)}
    changed = {path for model in models for path, _ in _read(locks[0], model) ^ _read(locks[1], model)} - made
    why = f"what changed is {', '.join(sorted(changed))}" if changed else "nor any file or version: was it native?"
    return f"no parameter of {', '.join(models)} changed; {why}"


def _read(lock: Lock, model: str) -> set[tuple[str, str]]:
    """What the two stages of a model read apart from params.yaml: files with md5s, packages with versions."""
    stages = [lock.stages[stage] for stage in lockfile.stages_of(model) if stage in lock.stages]
    files = {(dep.path, str(dep.md5)) for stage in stages for dep in stage.deps}
    params = [entry for stage in stages for file, entry in stage.params.items() if file != PARAMS.name]
    return files | {(name, str(value)) for entry in params for name, value in entry.items()}

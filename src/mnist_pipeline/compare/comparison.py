"""Two revisions model by model: what one has wrong that the other has right, whether that is chance, what changed."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mnist_pipeline.commits import lockfile
from mnist_pipeline.commits.lockfile import LOCK
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.compare import significance
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.tables import ABSENT, flat

SHOWN = ("test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_errors")


@dataclass(frozen=True)
class Change:
    """A key such as `optimizer.learning_rate` with both of its values; None where it is not there."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = (ABSENT if value is None else value for value in (self.before, self.after))
        return f"{self.key} {before} → {after}"


@dataclass(frozen=True)
class Row:
    """One model: its metrics in both revisions (None where it was not evaluated), what changed in its recipe, the
    change of test accuracy (-100 to 100), and what `pair` found, with `p_corrected`, which `holm` makes of its p-value
    among all models; without these two `refusal` says why."""

    model: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    recipe: list[Change]
    refusal: str
    points: float | None = None
    paired: dict[str, float] | None = None


@dataclass(frozen=True)
class Comparison:
    """A row a model, in the order of the second revision; `shared` is what changed in params.yaml for all of them."""

    before: Revision
    after: Revision
    models: list[Row]
    shared: list[Change]
    notes: list[str]

    @property
    def differs(self) -> bool:
        """Whether anything is another; loss and calibration move with the least change of a model's weights."""
        return bool(self.shared) or any(row.recipe or row.refusal or row.before != row.after for row in self.models)


def compare(before: Revision, after: Revision) -> Comparison:
    """Compare two revisions. Raises PipelineError when one has no results, or files that are damaged."""
    old, new = test_files(before), test_files(after)
    others = f"other test data: {paths.DATA_METRICS} of {before} and {after} name other test files"
    refusal = others if old and new and old != new else ""
    models = dict.fromkeys([*evaluated(after), *evaluated(before)])
    rows = [_row(model, before, after, refusal) for model in models]
    paired = [row.paired for row in rows if row.paired]
    for one, corrected in zip(paired, significance.holm([one["p_value"] for one in paired]), strict=True):
        one["p_corrected"] = corrected
    shared = between(*(revision.params | {"models": None} for revision in (before, after)))
    unexplained = [row.model for row in rows if row.before and row.after and row.before != row.after and not row.recipe]
    notes = [unbuilt(before), unbuilt(after), "" if shared else of_files(before, after, unexplained)]
    return Comparison(before, after, rows, shared, [note for note in notes if note])


def evaluated(revision: Revision) -> list[str]:
    """Its models that have results. Raises PipelineError when there is none."""
    if not revision.models:
        advice = "name a commit that has, or run `make repro`"
        raise PipelineError(f"{revision}: no model of its params.yaml has results ({paths.MODEL_METRICS}); {advice}")
    return revision.models


def test_files(revision: Revision) -> dict[str, str]:
    """SHA-256 of the test files in data/idx, which is what says that images are the same; empty where none is told."""
    if not revision.has(paths.DATA_METRICS):
        return {}
    try:
        files = revision.json(paths.DATA_METRICS).get("files", {})
        tests = {name: file for name, file in files.items() if name.startswith("test_")}
        return {name: file.get("upright_sha256", file["idx_sha256"]) for name, file in tests.items()}
    except (KeyError, TypeError, AttributeError):
        expected = "expected `idx_sha256` for each of `files`, found no such key"
        raise PipelineError(f"{revision}: {paths.DATA_METRICS}: {expected}; `make repro` makes it anew") from None


def _row(model: str, before: Revision, after: Revision, refusal: str) -> Row:
    old, new = _metrics(before, model), _metrics(after, model)
    if old is None or new is None:
        return Row(model, old, new, [], f"only {before if new is None else after} has results")
    recipe = between(before.recipes[model], after.recipes[model])
    try:
        tables = None if refusal else (_predictions(before, model, old), _predictions(after, model, new))
        paired = tables and significance.pair(*tables)
    except PipelineError as error:
        paired, refusal = None, str(error)
    points = None if refusal else 100 * float(new["test_accuracy"] - old["test_accuracy"])
    return Row(model, old, new, recipe, refusal, points, paired)


def _metrics(revision: Revision, model: str) -> dict[str, Any] | None:
    if model not in revision.models:
        return None
    found = revision.metrics(model)
    if missing := [key for key in SHOWN if key not in found]:
        raise PipelineError(f"{revision}: {paths.metrics(model)}: expected {', '.join(missing)}, found no such key")
    return found


def _predictions(revision: Revision, model: str, metrics: dict[str, Any]) -> pd.DataFrame:
    found = revision.predictions(model)
    wrong = int((found["predicted"] != found["label"]).sum())
    if wrong != metrics["test_errors"]:
        errors = f"its predictions have {wrong} errors, {paths.metrics(model)} says {metrics['test_errors']}"
        raise PipelineError(f"{revision}: {errors}: they are not of one evaluation")
    return found


def between(before: Any, after: Any) -> list[Change]:
    """The keys whose values differ, first in the order of the second; 1, 1.0 and true are three values."""
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
        recorded = [stage.params.get(paths.PARAMS.name, {}) for stage in stages if stage]
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
    """A sentence on the files and versions that these models' stages read and that are others."""
    if not models or not (before.has(LOCK) and after.has(LOCK)):
        return ""
    stages = [lockfile.stages_of(model) for model in models]
    read = {one for two in stages for one in before.lock.inputs(*two) ^ after.lock.inputs(*two)}
    changed = {key or file for file, key, _ in read if file not in (paths.PARAMS.name, "dvc.yaml")}
    why = f"what changed is {', '.join(sorted(changed))}" if changed else "nor any file or version: was it native?"
    return f"no parameter of {', '.join(models)} changed; {why}"

"""Two revisions model by model: what one has wrong that the other has right, whether that is chance, what changed."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.compare import changes
from mnist_pipeline.compare.changes import Change
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError

SHOWN = ("test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_errors")


@dataclass(frozen=True)
class Row:
    """One model: its metrics in both revisions (None where it was not evaluated), and what changed in its recipe.

    `points` is the change of test accuracy (-100 to 100) and `paired` what `pair` found. Both are None where the
    predictions are not of the same images; `refusal` then says why, and is else empty.
    """

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
    for revision in (before, after):
        if not revision.models:
            raise PipelineError(
                f"{revision}: no model of its params.yaml has results ({paths.MODEL_METRICS}); name a commit that has, "
                "or run `make repro`"
            )
    old, new = test_files(before), test_files(after)
    others = f"other test data: {paths.DATA_METRICS} of {before} and {after} name other test files"
    refusal = others if old and new and old != new else ""
    rows = [_row(model, before, after, refusal) for model in dict.fromkeys([*after.models, *before.models])]
    shared = changes.between(*(revision.params | {"models": None} for revision in (before, after)))
    unexplained = [row.model for row in rows if row.before and row.after and row.before != row.after and not row.recipe]
    code = "" if shared else changes.of_files(before, after, unexplained)
    notes = [changes.unbuilt(before), changes.unbuilt(after), code]
    return Comparison(before, after, rows, shared, [note for note in notes if note])


def test_files(revision: Revision) -> dict[str, str]:
    """SHA-256 of the decompressed test files, which is what says that images are the same; empty where none is told."""
    if not revision.has(paths.DATA_METRICS):
        return {}
    try:
        files = revision.json(paths.DATA_METRICS).get("files", {})
        return {name: file["idx_sha256"] for name, file in files.items() if name.startswith("test_")}
    except (KeyError, TypeError, AttributeError):
        expected = "expected `idx_sha256` for each of `files`, found no such key"
        raise PipelineError(f"{revision}: {paths.DATA_METRICS}: {expected}; `make repro` makes it anew") from None


def _row(model: str, before: Revision, after: Revision, refusal: str) -> Row:
    old, new = _metrics(before, model), _metrics(after, model)
    if old is None or new is None:
        return Row(model, old, new, [], f"only {before if new is None else after} has results")
    recipe = changes.between(before.recipes[model], after.recipes[model])
    if refusal:
        return Row(model, old, new, recipe, refusal)
    try:
        paired = pair(_predictions(before, model, old), _predictions(after, model, new))
    except PipelineError as error:
        return Row(model, old, new, recipe, str(error))
    return Row(model, old, new, recipe, "", 100 * float(new["test_accuracy"] - old["test_accuracy"]), paired)


def _metrics(revision: Revision, model: str) -> dict[str, Any] | None:
    if model not in revision.models:
        return None
    found = revision.metrics(model)
    missing = [key for key in SHOWN if key not in found]
    if missing:
        raise PipelineError(f"{revision}: {paths.metrics(model)}: expected {', '.join(missing)}, found no such key")
    return found


def _predictions(revision: Revision, model: str, metrics: dict[str, Any]) -> pd.DataFrame:
    found = revision.predictions(model)
    wrong = int((found["predicted"] != found["label"]).sum())
    if wrong != metrics["test_errors"]:
        raise PipelineError(
            f"{revision}: its predictions have {wrong} errors, {paths.metrics(model)} says {metrics['test_errors']}: "
            "they are not of one evaluation"
        )
    return found


def pair(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float]:
    """Hold two tables of `index`, `label` and `predicted`, a row an image, against each other.

    Returns how many images only the second has wrong (`gained`), how many only the first (`lost`), and the `p_value`
    (0–1) of the exact McNemar test, two-sided: how often a fair coin, thrown for each of these images, splits them at
    least as unevenly. Raises PipelineError unless both tables are for the same images with the same labels.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    same = ["index", "label"]
    if not before[same].equals(after[same]):
        raise PipelineError(
            f"predictions: the first are for {len(before)} images, the second for {len(after)}, and their indices or "
            "labels differ: predictions for other data can't be paired"
        )
    old, new = ((table["predicted"] != table["label"]).to_numpy() for table in (before, after))
    gained, lost = int((new & ~old).sum()), int((old & ~new).sum())
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return {"gained": gained, "lost": lost, "p_value": p_value}

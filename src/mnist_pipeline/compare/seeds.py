"""The same recipes under several seeds: mean, standard deviation, and models compared seed by seed.

The best model is that of the best mean accuracy on the validation images; compared are accuracies on the test images,
which chose nothing. Results are a row for each `seed` and `model` with both accuracies (0–1).
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from mnist_pipeline.compare import significance
from mnist_pipeline.core import tables
from mnist_pipeline.core.files import write_json
from mnist_pipeline.core.tables import ABSENT

SAME = 1e-12  # accuracies are counts over counts: what differs, differs by more
ACCURACIES = ["test_accuracy", "validation_accuracy"]


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row a model, best mean test accuracy first: of each accuracy `_mean`, `_sd` (n - 1), `_low` and `_high`;
    against the best model, in test accuracy over the same seeds, `difference` with `_sd` and `_se`, `p` of the paired
    t-test (two-sided), `p_corrected` by Holm's method for how many models have one, and `wins`, the seeds with a higher
    accuracy. What can't be computed is NaN, as with one seed."""
    table = results.groupby("model", sort=False)[ACCURACIES].agg(["mean", "std", "min", "max"])
    table.columns = pd.Index([f"{name}_{figure}" for name in ACCURACIES for figure in ("mean", "sd", "low", "high")])
    best = table["validation_accuracy_mean"].idxmax()
    accuracy = results.pivot(index="seed", columns="model", values="test_accuracy")
    differences = accuracy.sub(accuracy[best], axis="index")
    mean, deviation, error = differences.mean(), differences.std(), differences.sem()
    p = pd.Series(2 * stats.t.sf((mean / error).abs(), len(accuracy) - 1), mean.index).where(deviation > SAME)
    corrected = pd.Series(significance.holm(p.dropna().tolist()), p.dropna().index, dtype=float)
    table = table.assign(difference=mean, difference_sd=deviation, difference_se=error, p=p, p_corrected=corrected)
    table = table.assign(seeds=len(accuracy), wins=(differences > SAME).sum(), best=table.index == best)
    return table.sort_values("test_accuracy_mean", ascending=False, kind="stable")


def table(results: pd.DataFrame, commit: str, draw: Callable[[list[dict[str, str]]], str] = tables.text) -> str:
    """The summary in percent and points of a percent, the best in bold, and how to read it; `draw` is of `tables`."""
    rows = [_row(str(model), row) for model, row in summary(results).iterrows()]
    seeds = ", ".join(map(str, sorted(set(results["seed"]))))
    return (
        f"{draw(rows)}\n\n"
        f"Mean ± standard deviation (n − 1) over the seeds {seeds} at commit {commit}. "
        "Bold: the best mean on the validation\n"
        "images; against it, seed by seed on the test images: mean difference ± standard error, p of a paired t-test\n"
        "(two-sided), corrected for the number of models (Holm).\n"
    )


def _row(model: str, row: "pd.Series[Any]") -> dict[str, str]:
    difference = f"{100 * row['difference']:+.2f}".replace("-", "−")
    p = row["p_corrected"]
    against = {
        "against the best, points": f"{difference}{_deviation(row['difference_se'])}",
        "p": ABSENT if math.isnan(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001",
        "seeds won": f"{row['wins']:.0f} of {row['seeds']:.0f}",
    }
    return {
        "model": f"**{model}**" if row["best"] else model,
        "test accuracy": f"{row['test_accuracy_mean']:.2%}{_deviation(row['test_accuracy_sd'])}",
        "range": f"{row['test_accuracy_low']:.2%} – {row['test_accuracy_high']:.2%}",
        "validation accuracy": f"{row['validation_accuracy_mean']:.2%}{_deviation(row['validation_accuracy_sd'])}",
    } | (dict.fromkeys(against, ABSENT) if row["best"] else against)


def _deviation(share: float) -> str:
    return "" if math.isnan(share) else f" ± {100 * share:.2f}"


def as_json(results: pd.DataFrame, commit: str) -> str:
    """The summary unrounded, and the results."""
    models = json.loads(summary(results).to_json(orient="index"))
    return json.dumps({"commit": commit, "models": models, "results": results.to_dict(orient="records")}, indent=2)


def record(results: pd.DataFrame, commit: str, path: Path = Path("docs/seeds.json")) -> None:
    """Keep what was measured; a test holds the README's table against it."""
    write_json(path, {"commit": commit, "results": results.to_dict(orient="records")})

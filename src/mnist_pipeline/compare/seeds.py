"""The same recipes under several seeds: mean, standard deviation, and models compared seed by seed.

The best model is chosen by its mean accuracy on the validation images; what is compared are accuracies on the test
images, which chose nothing.
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from mnist_pipeline.core import tables
from mnist_pipeline.core.files import read_json, write_json
from mnist_pipeline.core.tables import ABSENT

SAME = 1e-12  # accuracies are counts over counts: what differs, differs by more
ACCURACIES = ("test_accuracy", "validation_accuracy")
RECORD = Path("docs/seeds.json")


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """A row a model, best mean test accuracy first, from a row for each `seed` and `model` with both accuracies (0–1).

    Of each accuracy `_mean`, `_sd` (n - 1), `_low` and `_high`. Against the best model, over the same seeds and in
    accuracy on the test images: `difference`, `difference_sd`, `difference_se`, `p` of the paired t-test (two-sided),
    and `wins`, the number of seeds with a higher accuracy. What can't be computed is NaN, as with one seed.
    """
    rows = results.groupby("model", sort=False)
    figures: dict[str, Any] = {"seeds": rows["seed"].count()}
    for name in ACCURACIES:
        found = rows[name]
        figures |= {f"{name}_mean": found.mean(), f"{name}_sd": found.std()}
        figures |= {f"{name}_low": found.min(), f"{name}_high": found.max()}
    table = pd.DataFrame(figures)
    chosen = str(table["validation_accuracy_mean"].idxmax())
    by_seed = results.pivot_table(index="seed", columns="model", values="test_accuracy")
    pairs = {model: _against(by_seed[model], by_seed[chosen]) for model in table.index}
    table = table.join(pd.DataFrame.from_dict(pairs, orient="index")).assign(best=table.index == chosen)
    return table.sort_values("test_accuracy_mean", ascending=False, kind="stable")


def _against(model: "pd.Series[float]", best: "pd.Series[float]") -> dict[str, float]:
    """One model's accuracies by seed against the best one's."""
    differences = model - best
    deviation = float(differences.std())
    varies = not math.isnan(deviation) and deviation > SAME
    return {
        "difference": float(differences.mean()),
        "difference_sd": deviation,
        "difference_se": deviation / math.sqrt(len(differences)),
        "p": float(stats.ttest_rel(model, best).pvalue) if varies else math.nan,
        "wins": int((differences > SAME).sum()),
    }


def cells(results: pd.DataFrame) -> list[dict[str, str]]:
    """The summary as people read it, a row a model: percent, points of a percent, and the best in bold."""
    return [_cells(str(model), row) for model, row in summary(results).iterrows()]


def _cells(model: str, row: "pd.Series[Any]") -> dict[str, str]:
    best = bool(row["best"])
    return {
        "model": f"**{model}**" if best else model,
        "test accuracy": _mean(row, "test_accuracy"),
        "range": f"{row['test_accuracy_low']:.2%} – {row['test_accuracy_high']:.2%}",
        "validation accuracy": _mean(row, "validation_accuracy"),
        "against the best, points": ABSENT if best else _difference(row),
        "p": ABSENT if best or math.isnan(row["p"]) else f"{row['p']:.3f}" if row["p"] >= 0.001 else "< 0.001",
        "seeds won": ABSENT if best else f"{row['wins']:.0f} of {row['seeds']:.0f}",
    }


def markdown(results: pd.DataFrame, commit: str) -> str:
    """The same as a Markdown table, with a line that says how to read it and which commit it is of."""
    return f"{tables.markdown(cells(results))}\n\n{caption(results, commit)}\n"


def text(results: pd.DataFrame, commit: str) -> str:
    """The same for a terminal."""
    return f"{tables.text(cells(results))}\n\n{caption(results, commit)}\n"


def caption(results: pd.DataFrame, commit: str) -> str:
    numbers = ", ".join(str(seed) for seed in sorted(set(results["seed"])))
    return (
        f"Mean ± standard deviation (n − 1) over the seeds {numbers} at commit {commit}. "
        "Bold: the best mean on the validation\n"
        "images; against it, seed by seed on the test images: mean difference ± standard error, p of a paired t-test."
    )


def _mean(row: "pd.Series[Any]", name: str) -> str:
    return f"{row[f'{name}_mean']:.2%}{_plus_minus(row[f'{name}_sd'])}"


def _plus_minus(share: float) -> str:
    return "" if math.isnan(share) else f" ± {100 * share:.2f}"


def _difference(row: "pd.Series[Any]") -> str:
    return f"{100 * row['difference']:+.2f}{_plus_minus(row['difference_se'])}".replace("-", "−")


def record(results: pd.DataFrame, commit: str, path: Path = RECORD) -> None:
    """Keep what was measured; a test holds the README's table against it."""
    write_json(path, {"commit": commit, "results": results.to_dict(orient="records")})


def recorded(path: Path = RECORD) -> tuple[pd.DataFrame, str]:
    """What was kept: the results, and the commit that they are of. Raises PipelineError when there is nothing."""
    content = read_json(path)
    return pd.DataFrame(content["results"]), str(content["commit"])

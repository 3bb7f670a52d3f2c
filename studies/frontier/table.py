"""Stage `table`: what each recipe reaches, and in how many core-seconds, with a figure. Run: dvc repro table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stages"))

import bootstrap
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from mnist_pipeline.core import params, paths, tables, yaml_reader
from mnist_pipeline.core.files import read_json, write_csv
from mnist_pipeline.results import leaderboard
from mnist_pipeline.results.plots import drawing

PIPELINE, MEASURED = Path("dvc.yaml"), Path("measured.json")
TABLE, FIGURE = Path("results/table"), Path("results/frontier.png")
YARDSTICK = "convnet"  # its recipe as of commit 771e11d, before there was a frontier
ENSEMBLE = ["pooled_24", "residual_24"]


def trained() -> pd.DataFrame:
    """The metrics of each network that counts, with its recipe; not of seed 0, which is there to be published."""
    trainings: dict[str, dict[str, str]] = yaml_reader.read(PIPELINE)["vars"][0]["trainings"]
    runs = leaderboard.read_metrics(list(trainings)).drop([name for name in trainings if name.endswith("_0")])
    runs["recipe"] = [trainings[str(name)]["recipe"] for name in runs.index]
    return runs


def table(recipes: list[str], runs: pd.DataFrame) -> pd.DataFrame:
    """A row a recipe that was trained: means over its seeds, half the 95 % interval of the test mean (Student's t),
    accuracy of the mean of its networks' probabilities, core-seconds, and their ratio to the yardstick's."""
    seconds = read_json(MEASURED)["core_seconds"]
    rows = [_row(recipe, runs[runs["recipe"] == recipe]) for recipe in recipes if recipe in set(runs["recipe"])]
    return pd.DataFrame([row | _cost(str(row["recipe"]), seconds) for row in rows])


def _row(recipe: str, runs: pd.DataFrame) -> dict[str, object]:
    return {
        "recipe": recipe,
        "seeds": len(runs),
        "validation_accuracy": runs["validation_accuracy"].mean(),
        "test_accuracy": runs["test_accuracy"].mean(),
        "test_accuracy_half": _half(runs["test_accuracy"]),
        "together": _together(runs),
        "parameters": int(runs["parameters"].iloc[0]),
    }


def _half(accuracies: "pd.Series[float]") -> float:
    """Of the 95 % interval of their mean; NaN for a single one."""
    count = len(accuracies)
    factor = round(float(stats.t.ppf(0.975, count - 1)), 6)  # since scipy is none of the versions that are inputs
    return factor * float(accuracies.std() / count**0.5)


def _together(runs: pd.DataFrame) -> float:
    """Test accuracy of the mean of the probabilities that these networks give."""
    names = list(map(str, runs.index))
    probabilities = np.mean([np.load(paths.test(name) / "probabilities.npy").astype(float) for name in names], axis=0)
    labels = pd.read_csv(paths.test(names[0]) / "predictions.csv")["label"]
    return float((probabilities.argmax(axis=1) == labels).mean())


def _cost(recipe: str, seconds: dict[str, float]) -> dict[str, float]:
    return {"core_seconds": seconds[recipe], "ratio": seconds[recipe] / seconds[YARDSTICK]}


def markdown(table: pd.DataFrame) -> str:
    """The table for people."""
    rows = [
        {
            "recipe": row["recipe"],
            "validation": f"{row['validation_accuracy']:.2%}",
            "seeds": row["seeds"],
            "test": f"{row['test_accuracy']:.2%} ± {100 * row['test_accuracy_half']:.2f}",
            "together": f"{row['together']:.2%}",
            "parameters": f"{row['parameters']:,}",
            "core-seconds": f"{row['core_seconds']:.1f}",
            f"of {YARDSTICK}": f"{row['ratio']:.3f}",
        }
        for row in table.to_dict(orient="records")
    ]
    return tables.markdown(rows) + "\n"


def ensemble(runs: pd.DataFrame) -> str:
    """A sentence on the mean of all probabilities of the recipes in `ENSEMBLE`; empty unless each was trained."""
    members = runs[runs["recipe"].isin(ENSEMBLE)]
    if set(members["recipe"]) != set(ENSEMBLE):
        return ""
    recipes = " and ".join(f"`{recipe}`" for recipe in ENSEMBLE)
    return f"\nAll {len(members)} networks of {recipes} together: {_together(members):.2%}.\n"


def figure(table: pd.DataFrame) -> Figure:
    """Test error with its interval against core-seconds, both logarithmic."""
    picture = Figure(figsize=(7, 4.5), layout="constrained")
    axes = picture.subplots()
    error, half = 100 - 100 * table["test_accuracy"], 100 * table["test_accuracy_half"]
    axes.errorbar(table["core_seconds"], error, yerr=half, fmt="o", capsize=3)
    for name, x, y in zip(table["recipe"], table["core_seconds"], error + half.fillna(0), strict=True):
        axes.annotate(name, (x, y), textcoords="offset points", xytext=(0, 6), ha="center")
    axes.set(xscale="log", yscale="log", xlabel="core-seconds of training", ylabel="test error, %")
    axes.set_title("Mean test error over the seeds, with its 95 % interval")
    axes.margins(x=0.15, y=0.12)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(visible=True, which="both", alpha=0.3)
    return picture


def main() -> None:
    runs = trained()
    found = table(list(params.load().models), runs)
    write_csv(TABLE.with_suffix(".csv"), found)
    TABLE.with_suffix(".md").write_text(markdown(found) + ensemble(runs), encoding="utf-8")
    drawing.save(figure(found), FIGURE)


if __name__ == "__main__":
    with bootstrap.stage():
        main()

"""Stage `table` of a study: what write-ups report beside what their recipes gave here. Run: dvc repro table."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stages"))

import bootstrap
import pandas as pd

from mnist_pipeline.core import params, paths
from mnist_pipeline.core.files import read_json, write_csv
from mnist_pipeline.results import leaderboard

REPORTED, MEASURED = Path("reported.csv"), Path("measured.json")
TABLE, EPOCHS = Path("results/table"), Path("results/epochs.csv")


def table(models: list[str]) -> pd.DataFrame:
    """A row a model: reported accuracy, ours with interval, whether ours reaches it, seconds, commit."""
    ours = leaderboard.read_metrics(models)[["test_accuracy", "test_accuracy_low", "test_accuracy_high"]]
    measured = pd.DataFrame.from_dict(read_json(MEASURED)["models"], orient="index").reindex(
        columns=["training_seconds", "test_seconds", "commit", "machine"]
    )
    joined = ours.rename_axis("model").reset_index().merge(pd.read_csv(REPORTED), how="left", on="model")
    reported = joined["reported_accuracy"]
    reached = reported <= joined["test_accuracy_high"]
    joined["reached"] = reached.map({True: "yes", False: "no"}).where(reported.notna())
    measured["machine"] = measured["machine"].map(lambda machine: machine["processor"], na_action="ignore")
    return joined.join(measured, on="model")


def markdown(table: pd.DataFrame) -> str:
    """The table for people; below it, at which commit and on which machine it was measured."""
    lines = [
        "| recipe | reported | ours | 95 % interval | reached | training, s | 10,000 test images, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table.to_dict(orient="records"):
        reported = "–" if pd.isna(row["reported_accuracy"]) else f"{row['reported_accuracy']:.2%}"
        verdict = "–" if pd.isna(row["reached"]) else row["reached"]
        lines.append(
            f"| {row['model']} | {reported} | {row['test_accuracy']:.2%} | {row['test_accuracy_low']:.2%} – "
            f"{row['test_accuracy_high']:.2%} | {verdict} | {row['training_seconds']:.1f} | {row['test_seconds']:.2f} |"
        )
    places = table[["machine", "commit"]].dropna().drop_duplicates().itertuples(index=False)
    where = "; ".join(f"{machine} at commit {commit}" for machine, commit in places)
    return "\n".join(lines) + f"\n\nMeasured on one thread of: {where or 'not yet measured'}.\n"


def main() -> None:
    models = list(params.load().models)
    found = table(models)
    write_csv(TABLE.with_suffix(".csv"), found)
    TABLE.with_suffix(".md").write_text(markdown(found), encoding="utf-8")
    write_csv(EPOCHS, leaderboard.curves(models))


if __name__ == "__main__":
    with bootstrap.stage() as arguments:
        main(*arguments)

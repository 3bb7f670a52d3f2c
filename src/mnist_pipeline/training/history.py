"""A training's history: a row for each logged batch and for each epoch, against images seen."""

from pathlib import Path

import pandas as pd

from mnist_pipeline.core.files import write_csv

Row = dict[str, int | float]
FIGURES = [f"{part}_{figure}" for part in ("batch", "training", "validation") for figure in ("loss", "accuracy")]
COLUMNS = ["images_seen", "epoch", *FIGURES]
ONLY_IN_STUDIES = ["test_loss", "test_accuracy"]


def write(rows: list[Row], path: Path) -> None:
    """Write the rows as CSV; what a row does not have stays empty."""
    table = pd.DataFrame(rows)
    write_csv(path, table.reindex(columns=[*COLUMNS, *(name for name in ONLY_IN_STUDIES if name in table)]))


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


def epochs(history: pd.DataFrame) -> pd.DataFrame:
    """The rows that close an epoch, without the columns that only logged batches have."""
    return history.dropna(subset=["training_loss"]).drop(columns=["batch_loss", "batch_accuracy"])

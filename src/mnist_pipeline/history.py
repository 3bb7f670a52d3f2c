"""A training's history: a row for each logged batch and for each epoch, against images seen."""

from pathlib import Path

import pandas as pd

from mnist_pipeline.files import write_csv

Row = dict[str, int | float]
COLUMNS = [
    "images_seen",
    "epoch",
    "batch_loss",
    "batch_accuracy",
    "training_loss",
    "training_accuracy",
    "validation_loss",
    "validation_accuracy",
]


def write(rows: list[Row], path: Path) -> None:
    """Write the rows as CSV; what a row does not have stays empty."""
    write_csv(path, pd.DataFrame(rows).reindex(columns=COLUMNS))


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).reindex(columns=COLUMNS)


def epochs(history: pd.DataFrame) -> pd.DataFrame:
    """The rows that close an epoch, without the columns that only logged batches have."""
    return history.dropna(subset=["training_loss"]).drop(columns=["batch_loss", "batch_accuracy"])

"""A training's history: a row for each logged batch and for each epoch, against images seen."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, int | float]
FIGURES = [f"{part}_{figure}" for part in ("batch", "training", "validation") for figure in ("loss", "accuracy")]
COLUMNS = ["images_seen", "epoch", *FIGURES]
ONLY_IN_STUDIES = ["test_loss", "test_accuracy"]


def write(rows: list[Row], path: Path) -> None:
    """Write the rows as CSV; what a row does not have stays empty."""
    columns = [*COLUMNS, *(name for name in ONLY_IN_STUDIES if any(name in row for row in rows))]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def rows(path: Path) -> list[Row]:
    """The rows as they were written, each number to the bit."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(stream)]


def read(path: Path) -> "pd.DataFrame":
    import pandas as pd  # half a second, which no training or evaluation needs

    return pd.read_csv(path)


def epochs(history: "pd.DataFrame") -> "pd.DataFrame":
    """The rows that close an epoch, without the columns that only logged batches have."""
    return history.dropna(subset=["training_loss"]).drop(columns=["batch_loss", "batch_accuracy"])

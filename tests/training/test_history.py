"""The history as CSV: what a row does not have stays empty, and all comes back as it was written."""

from pathlib import Path

import pytest

from mnist_pipeline.training import history
from mnist_pipeline.training.history import Row

BATCH: Row = {"images_seen": 128, "epoch": 1, "batch_loss": 2.25, "batch_accuracy": 0.5}
EPOCH: Row = {"images_seen": 200, "epoch": 1, "training_loss": 1.5, "training_accuracy": 0.625}
VALIDATED: Row = {**EPOCH, "validation_loss": 1.25, "validation_accuracy": 0.75}


def test_columns_stand_in_one_order_and_gaps_are_empty(tmp_path: Path) -> None:
    history.write([BATCH, VALIDATED], tmp_path / "new" / "history.csv")
    assert (tmp_path / "new" / "history.csv").read_bytes() == (
        b"images_seen,epoch,batch_loss,batch_accuracy,training_loss,training_accuracy,validation_loss,"
        b"validation_accuracy\n"
        b"128,1,2.25,0.5,,,,\n"
        b"200,1,,,1.5,0.625,1.25,0.75\n"
    )


def test_a_column_that_no_row_has_is_there_and_empty(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    history.write([EPOCH], path)
    assert path.read_text("utf-8").splitlines()[0] == ",".join(history.COLUMNS)
    table = history.read(path)
    assert list(table) == history.COLUMNS
    assert table["batch_loss"].isna().all()


def test_what_only_studies_have_is_a_column_only_there(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    history.write([{**EPOCH, "test_loss": 0.5, "test_accuracy": 0.875}], path)
    assert list(history.read(path)) == [*history.COLUMNS, "test_loss", "test_accuracy"]


def test_numbers_come_back_to_the_bit(tmp_path: Path) -> None:
    path, loss = tmp_path / "history.csv", 0.1 + 0.2
    history.write([{**BATCH, "batch_loss": loss}], path)
    assert history.read(path)["batch_loss"].tolist() == [loss]
    assert history.rows(path) == [{**BATCH, "batch_loss": loss}]


def test_epochs_are_the_rows_that_close_one(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    history.write([BATCH, EPOCH, BATCH, VALIDATED], path)
    epochs = history.epochs(history.read(path))
    assert epochs["images_seen"].tolist() == [200, 200]
    assert not {"batch_loss", "batch_accuracy"} & set(epochs)
    assert epochs["validation_loss"].tolist() == pytest.approx([float("nan"), 1.25], nan_ok=True)

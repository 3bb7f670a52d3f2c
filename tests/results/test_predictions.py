"""What evaluation leaves behind: tables that agree with the predictions, and the mistakes in the right order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.results import predictions
from mnist_pipeline.training import history
from mnist_pipeline.training.evaluation import Predictions
from tests import synthetic


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Predictions]:
    """The folder of a model that was asked about thirty images, and what it said."""
    tmp_path = tmp_path_factory.mktemp("results")
    data = synthetic.dataset(30)
    said = Predictions(torch.randn(30, 10, dtype=torch.float64), data.labels.long())
    epoch: history.Row = {"images_seen": 30, "epoch": 1, "training_loss": 1.0, "training_accuracy": 0.5}
    predictions.write(
        "small", said, data.pixels.numpy(), [epoch], tmp_path / "small", names=DIGITS, label_smoothing=0.1
    )
    return tmp_path / "small", said


def test_predictions_are_a_row_an_image(written: tuple[Path, Predictions]) -> None:
    folder, said = written
    table = pd.read_csv(folder / "predictions.csv")
    assert table["index"].tolist() == list(range(30))
    assert table["label"].tolist() == said.labels.tolist()
    assert table["predicted"].tolist() == said.classes.tolist()


def test_probabilities_are_kept_as_float32(written: tuple[Path, Predictions]) -> None:
    folder, said = written
    probabilities = np.load(folder / "probabilities.npy")
    assert (probabilities.shape, probabilities.dtype) == ((30, 10), np.float32)
    assert np.allclose(probabilities, said.probabilities(slice(None)).numpy(), atol=1e-7)


def test_every_picture_is_there(written: tuple[Path, Predictions]) -> None:
    names = sorted(path.name for path in (written[0] / "pictures").iterdir())
    assert names == ["confusion.png", "curves.png", "mistakes.png", "predictions.png"]


def test_the_surest_mistakes_come_first_and_the_right_ones_not_at_all() -> None:
    logits, classes = torch.zeros(5, 10), torch.tensor([1, 2, 3, 4, 3])
    logits[range(5), classes] = torch.tensor([1.0, 9.0, 3.0, 2.0, 3.0])
    said = Predictions(logits, torch.tensor([0, 2, 0, 0, 0]))
    assert predictions.confident_mistakes(said).tolist() == [2, 4, 3, 0]
    assert predictions.confident_mistakes(said, most=2).tolist() == [2, 4]
    assert predictions.confident_mistakes(Predictions(logits, classes)).tolist() == []

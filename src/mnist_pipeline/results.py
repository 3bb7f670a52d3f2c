"""What one model did with the test images: predictions and confusion as CSV, probabilities, pictures."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_pipeline import figures, idx
from mnist_pipeline.evaluation import Predictions
from mnist_pipeline.files import write_csv


def write(model: str, test: Predictions, images: figures.Images, history: pd.DataFrame, folder: Path) -> None:
    """Write predictions.csv, confusion.csv, probabilities.npy (float32, (n, 10)) and pictures/ into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    labels, classes, probabilities = test.labels.numpy(), test.classes.numpy(), test.probabilities.numpy()
    table = pd.DataFrame({"index": range(len(labels)), "label": labels, "predicted": classes})
    write_csv(folder / "predictions.csv", table)
    np.save(folder / "probabilities.npy", probabilities.astype(np.float32))
    counts = confusion(labels, classes)
    cells = [(row, column, count) for (row, column), count in np.ndenumerate(counts)]
    write_csv(folder / "confusion.csv", pd.DataFrame(cells, columns=["label", "predicted", "count"]))
    worst = confident_mistakes(labels, classes, probabilities)
    pictures = {
        "curves": figures.learning_curves(history, model),
        "confusion": figures.confusion_matrix(counts, model),
        "predictions": figures.prediction_grid(images[:25], labels[:25], classes[:25], model),
        "mistakes": figures.mistakes(images[worst], labels[worst], probabilities[worst], worst, model),
    }
    for name, figure in pictures.items():
        figures.save(figure, folder / "pictures" / f"{name}.png")


def confident_mistakes(
    labels: figures.Labels, classes: figures.Labels, probabilities: figures.Probabilities, most: int = 10
) -> figures.Labels:
    """Indices of the wrong predictions in which the network was surest, surest first, at most `most`."""
    wrong = np.flatnonzero(labels != classes)
    confidence = probabilities[wrong].max(axis=1)
    chosen: figures.Labels = wrong[np.argsort(-confidence, kind="stable")][:most]
    return chosen


def confusion(labels: figures.Labels, classes: figures.Labels) -> npt.NDArray[np.int64]:
    """Counts of shape (10, 10): rows the true digit, columns the predicted one."""
    counts = np.zeros((idx.CLASSES, idx.CLASSES), dtype=np.int64)
    np.add.at(counts, (labels, classes), 1)
    return counts

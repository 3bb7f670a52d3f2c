"""What one model did with the test images: predictions and confusion as CSV, probabilities, pictures."""

from pathlib import Path

import numpy as np
from torch import Tensor

from mnist_pipeline.core.files import write_rows
from mnist_pipeline.results import confusion
from mnist_pipeline.results.plots import drawing
from mnist_pipeline.results.plots.model import confusion_matrix, learning_curves, mistakes, prediction_grid
from mnist_pipeline.training.evaluation import Predictions
from mnist_pipeline.training.history import Row


def write(
    model: str,
    test: Predictions,
    images: drawing.Images,
    history: list[Row],
    folder: Path,
    *,
    names: list[str],
    label_smoothing: float,
) -> None:
    """Write predictions.csv, confusion.csv, probabilities.npy (float32, (n, classes)) and pictures/ into `folder`.

    `names` are those of the classes; `label_smoothing` is the recipe's.
    """
    labels, classes = test.labels.numpy().astype(np.uint8), test.classes.numpy().astype(np.uint8)
    rows = ((index, names[label], names[one]) for index, (label, one) in enumerate(zip(labels, classes, strict=True)))
    write_rows(folder / "predictions.csv", ("index", "label", "predicted"), rows)
    with (folder / "probabilities.npy").open("wb") as stream:  # on a full disk a memory map would end without a message
        header = {"descr": "<f4", "fortran_order": False, "shape": tuple(test.logits.shape)}
        np.lib.format.write_array_header_1_0(stream, header)
        for part in test.parts():
            stream.write(test.probabilities(part).numpy().astype("<f4").tobytes())
    counts = confusion.counts(labels, classes, len(names))
    cells = ((names[row], names[column], count) for (row, column), count in np.ndenumerate(counts))
    write_rows(folder / "confusion.csv", ("label", "predicted", "count"), cells)
    surest = confident_mistakes(test)
    worst, probabilities = surest.numpy(), test.probabilities(surest).numpy()
    pictures = {
        "curves": learning_curves(history, model, label_smoothing),
        "confusion": confusion_matrix(counts, model, names),
        "predictions": prediction_grid(images[:25], labels[:25], classes[:25], model, names),
        "mistakes": mistakes(images[worst], labels[worst], probabilities, worst, model, names),
    }
    for name, figure in pictures.items():
        drawing.save(figure, folder / "pictures" / f"{name}.png")


def confident_mistakes(test: Predictions, most: int = 10) -> Tensor:
    """Indices of the wrong predictions in which the network was surest, surest first, at most `most`."""
    wrong = (test.classes != test.labels).nonzero().squeeze(1)
    confidence = test.probabilities(wrong).amax(dim=1)
    return wrong[confidence.argsort(descending=True, stable=True)][:most]

"""Confusion: how often each digit was taken for each. The picture of it is drawn in `plots`."""

import numpy as np
import numpy.typing as npt

from mnist_pipeline.data import idx


def counts(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Counts of shape (10, 10) from one true and one predicted digit an image: rows true, columns predicted."""
    cells = np.ravel_multi_index((np.asarray(labels), np.asarray(predicted)), (idx.CLASSES, idx.CLASSES))
    return np.bincount(cells, minlength=idx.CLASSES**2).reshape(idx.CLASSES, idx.CLASSES)

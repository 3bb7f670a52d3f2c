"""Confusion: how often each class was taken for each. The picture of it is drawn in `plots.model`."""

import numpy as np
import numpy.typing as npt


def counts(labels: npt.ArrayLike, predicted: npt.ArrayLike, classes: int = 10) -> npt.NDArray[np.int64]:
    """Counts (classes, classes) from one true and one predicted label an image: rows true, columns predicted."""
    cells = np.ravel_multi_index((np.asarray(labels), np.asarray(predicted)), (classes, classes))
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)

"""Confusion: how often each digit was taken for each. The picture of it is drawn in `plots`."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_pipeline.data import idx


def counts(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Counts of shape (10, 10) from one true and one predicted digit an image: rows true, columns predicted."""
    digits = range(idx.CLASSES)
    table = pd.crosstab(np.asarray(labels), np.asarray(predicted))
    return table.reindex(index=digits, columns=digits, fill_value=0).to_numpy(np.int64)

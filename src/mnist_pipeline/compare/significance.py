"""Whether one model of several does better than another by more than chance."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from mnist_pipeline.core.errors import PipelineError


def pair(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float]:
    """Hold two tables of `index`, `label` and `predicted`, a row an image, against each other.

    Returns how many images only the second has wrong (`gained`), how many only the first (`lost`), and the `p_value`
    (0–1) of the exact McNemar test, two-sided: how often a fair coin, thrown for each of these images, splits them at
    least as unevenly. Raises PipelineError unless both tables are for the same images with the same labels.
    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    if not before[["index", "label"]].equals(after[["index", "label"]]):
        images = f"the first are for {len(before)} images, the second for {len(after)}"
        other = "their indices or labels differ: predictions for other data can't be paired"
        raise PipelineError(f"predictions: {images}, and {other}")
    old, new = ((table["predicted"] != table["label"]).to_numpy() for table in (before, after))
    gained, lost = int((new & ~old).sum()), int((old & ~new).sum())
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return {"gained": gained, "lost": lost, "p_value": p_value}


def holm(p_values: list[float]) -> list[float]:
    """These p-values corrected for how many there are: if nothing differs, any is below 0.05 in one of twenty cases.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.maximum.accumulate(np.minimum(1, factors * np.asarray(p_values)[order]))
    return [float(value) for value in corrected]

"""Two sets of predictions for the same images: what one has wrong that the other has right, and is that chance."""

from dataclasses import dataclass

import pandas as pd
from scipy.stats import binomtest

from mnist_pipeline.errors import PipelineError


@dataclass(frozen=True)
class Paired:
    """How many images only the second has wrong (`gained`) or only the first (`lost`), and the exact McNemar p-value.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """

    gained: int
    lost: int
    p_value: float


def pair(before: pd.DataFrame, after: pd.DataFrame) -> Paired:
    """Hold two tables of `index`, `label` and `predicted`, a row an image, against each other.

    The p-value (0–1) is two-sided: how often a fair coin, thrown for each image that only one of them has wrong, splits
    them at least as unevenly. Raises PipelineError unless both are for the same images with the same labels.
    """
    same = ["index", "label"]
    if not before[same].reset_index(drop=True).equals(after[same].reset_index(drop=True)):
        raise PipelineError(
            f"predictions: the first are for {len(before)} images, the second for {len(after)}, and their indices or "
            "labels differ: predictions for other data can't be paired"
        )
    wrong_before = (before["predicted"] != before["label"]).to_numpy()
    wrong_after = (after["predicted"] != after["label"]).to_numpy()
    gained, lost = int((wrong_after & ~wrong_before).sum()), int((wrong_before & ~wrong_after).sum())
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Paired(gained, lost, p_value)

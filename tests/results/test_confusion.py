"""Counts of true and predicted digits."""

import numpy as np

from mnist_pipeline.results import confusion


def test_true_digits_are_rows_and_predicted_ones_columns() -> None:
    counts = confusion.counts(np.array([3, 3, 3, 5], np.uint8), np.array([3, 7, 7, 5], np.uint8))
    assert counts.shape == (10, 10)
    assert {(row, column): count for (row, column), count in np.ndenumerate(counts) if count} == {
        (3, 3): 1,
        (3, 7): 2,
        (5, 5): 1,
    }

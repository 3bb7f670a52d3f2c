"""Two sets of predictions, paired: counts and p-values worked out by hand."""

import pandas as pd
import pytest

from mnist_pipeline.compare import significance
from mnist_pipeline.core.errors import PipelineError


def predictions(wrong: set[int], images: int = 20) -> pd.DataFrame:
    """So many images of the digit 3, those in `wrong` taken for an 8."""
    predicted = [8 if index in wrong else 3 for index in range(images)]
    return pd.DataFrame({"index": range(images), "label": 3, "predicted": predicted})


@pytest.mark.parametrize(
    ("before", "after", "gained", "lost", "p_value"),
    [
        ({0, 1, 2, 3, 4, 9}, {5, 9}, 1, 5, 0.21875),  # 2 (1 + 6) / 2^6
        ({9}, {0, 1, 2, 3, 9}, 4, 0, 0.125),  # 2 / 2^4
        ({0, 1}, {2, 3}, 2, 2, 1.0),
        ({0, 1}, {0, 1}, 0, 0, 1.0),
    ],
)
def test_errors_gained_and_lost_with_the_exact_p_value(
    before: set[int], after: set[int], gained: int, lost: int, p_value: float
) -> None:
    found = significance.pair(predictions(before), predictions(after))
    assert (found["gained"], found["lost"]) == (gained, lost)
    assert found["p_value"] == pytest.approx(p_value, abs=1e-12)


def test_an_error_that_becomes_another_error_is_neither_gained_nor_lost() -> None:
    after = predictions({0})
    after.loc[0, "predicted"] = 5
    assert significance.pair(predictions({0}), after) == {"gained": 0, "lost": 0, "p_value": 1.0}


def test_predictions_for_other_images_or_labels_are_refused() -> None:
    relabelled = predictions(set()).assign(label=4)
    for other in (relabelled, predictions(set(), images=19), predictions(set()).iloc[::-1]):
        with pytest.raises(PipelineError, match="can't be paired"):
            significance.pair(predictions(set()), other)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 0.04 after 0.03 × 2: not below what came before it
        ([0.4, 0.6, 0.5], [1.0, 1.0, 1.0]),
    ],
)
def test_p_values_are_corrected_for_their_number(p_values: list[float], corrected: list[float]) -> None:
    assert significance.holm(p_values) == pytest.approx(corrected)

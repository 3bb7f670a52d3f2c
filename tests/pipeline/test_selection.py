"""Stages by their names and by patterns."""

import pytest

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline import selection

STAGES = ["verify", "train@cnn_1", "train@mlp_1", "evaluate@cnn_1"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), STAGES),
        (("verify",), ["verify"]),
        (("*@cnn_*",), ["train@cnn_1", "evaluate@cnn_1"]),
        (("evaluate@cnn_1", "train@???_1"), ["train@cnn_1", "train@mlp_1", "evaluate@cnn_1"]),
    ],
)
def test_those_that_fit_are_chosen_in_their_own_order(patterns: tuple[str, ...], expected: list[str]) -> None:
    assert selection.chosen(STAGES, patterns) == expected


def test_a_pattern_that_fits_none_is_named_beside_what_there_is() -> None:
    with pytest.raises(PipelineError, match=r"^dvc\.yaml: no stage TRAIN@\*; there are verify, train@cnn_1, "):
        selection.chosen(STAGES, ["verify", "TRAIN@*"])

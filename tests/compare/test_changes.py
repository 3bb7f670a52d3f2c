"""Keys that changed between two params.yaml, and files between two dvc.lock."""

import pytest

from mnist_pipeline.compare import comparison
from mnist_pipeline.compare.comparison import Change


def test_nested_keys_are_joined_and_only_the_changed_ones_named() -> None:
    before = {"optimizer": {"name": "sgd", "momentum": 0.9}, "epochs": 1, "batch": 64}
    after = {"optimizer": {"name": "adamw"}, "label_smoothing": 0.1, "epochs": 2, "batch": 64}
    assert comparison.between(before, after) == [
        Change("optimizer.name", "sgd", "adamw"),
        Change("label_smoothing", None, 0.1),
        Change("epochs", 1, 2),
        Change("optimizer.momentum", 0.9, None),
    ]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"a": 1}, {"a": 1.0}, ["a 1 → 1.0"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a [1, 2] → [2, 1]"]),
        ({"a": {}}, {"a": {"b": 1}}, ["a.b – → 1", "a {} → –"]),
        ({}, {"a": None}, ["a – → –"]),
        ({}, {}, []),
    ],
)
def test_what_a_file_shows_otherwise_is_a_change(before: object, after: object, shown: list[str]) -> None:
    assert [str(change) for change in comparison.between(before, after)] == shown

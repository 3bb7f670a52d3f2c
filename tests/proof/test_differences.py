"""What two files differ in: said in figures, exact to one value."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from mnist_pipeline.proof import differences

WEIGHTS = {"first": np.zeros((2, 3), np.float32), "last": np.ones(4, np.float32)}


def test_weights_name_the_tensor_and_the_largest_difference() -> None:
    changed = {name: array.copy() for name, array in WEIGHTS.items()}
    changed["first"][0, 0] = 0.25
    changed["last"][1:3] = (1.5, 0.0)
    said = differences.describe("models/a/weights.safetensors", save(WEIGHTS), save(changed))
    assert said == "3 of 10 values, by at most 1 (in last)"


def test_one_bit_of_one_weight_is_seen() -> None:
    changed = {name: array.copy() for name, array in WEIGHTS.items()}
    changed["last"].view(np.uint32)[0] ^= 1
    assert differences.describe("w.safetensors", save(WEIGHTS), save(changed)).startswith(
        "1 of 10 values, by at most 1.19e-07"
    )


def test_a_weight_that_is_no_number_any_more_differs_infinitely_and_one_that_never_was_does_not() -> None:
    nothing = WEIGHTS | {"last": np.full(4, np.nan, np.float32)}
    assert (
        differences.describe("w.safetensors", save(WEIGHTS), save(nothing))
        == "4 of 10 values, by at most inf (in last)"
    )
    other = nothing | {"first": WEIGHTS["first"] + 1}
    assert (
        differences.describe("w.safetensors", save(nothing), save(other)) == "6 of 10 values, by at most 1 (in first)"
    )


def test_tensors_of_another_form_or_name_are_named() -> None:
    changed = {"first": np.zeros((3, 2), np.float32), "new": WEIGHTS["last"]}
    said = differences.describe("w.safetensors", save(WEIGHTS), save(changed))
    assert "first: float32 (3, 2) instead of float32 (2, 3)" in said
    assert "last: nothing instead of float32 (4,)" in said
    assert "new: float32 (4,) instead of nothing" in said


def test_metrics_say_which_keys_and_by_how_much() -> None:
    before = {"accuracy": 0.95, "nested": {"list": [1, 2]}, "gone": None, "same": 1}
    after = {"accuracy": 0.94, "nested": {"list": [1, 5]}, "same": 1, "name": "x"}
    said = differences.describe("metrics.json", json.dumps(before).encode(), json.dumps(after).encode())
    assert said == (
        "accuracy: 0.94 instead of 0.95 (-0.01); nested.list.1: 5 instead of 2 (+3); gone: nothing instead of None; "
        "name: 'x' instead of nothing"
    )


def test_a_long_list_is_cut() -> None:
    before, after = ({str(key): key + shift for key in range(15)} for shift in (0, 1))
    said = differences.describe("metrics.json", json.dumps(before).encode(), json.dumps(after).encode())
    assert said.count("instead of") == 10
    assert said.endswith("; and 5 more")


def test_the_last_bit_of_a_figure_counts_and_what_is_no_number_on_both_sides_does_not() -> None:
    before, after = b'{"loss": NaN, "a": 0.1}', b'{"loss": NaN, "a": 0.10000000000000002}'
    assert differences.describe("m.json", before, after) == "a: 0.10000000000000002 instead of 0.1 (+1.39e-17)"


def test_of_others_it_is_said_that_they_differ() -> None:
    assert differences.describe("a.gz", b"abcd", b"axcx") == "differs"
    assert differences.describe("m.json", b'{"a": 1}', b'{"a":  1}') == "differs"  # in how it is written


@pytest.mark.parametrize("name", ["w.safetensors", "a.npy", "p.png", "m.json", "t.csv"])
def test_a_file_that_is_not_what_its_name_says_differs(name: str) -> None:
    assert differences.describe(name, b"\xff\x00", b"\xff\x01") == "differs"
    assert differences.describe(name, b"[" * 200_000, b"\xff\x01") == "differs"
    assert differences.describe(name, b"\xff", b"\xff") == ""

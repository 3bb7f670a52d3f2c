"""What two files differ in: said in figures, exact to one value, for every kind of file that the pipeline leaves."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import save

from mnist_pipeline import differences

WEIGHTS = {"first": np.zeros((2, 3), np.float32), "last": np.ones(4, np.float32)}


def _npy(array: differences.Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _png(array: differences.Array, **settings: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "png", **settings)
    return stream.getvalue()


def _csv(**columns: list[object]) -> bytes:
    return pd.DataFrame(columns).to_csv(index=False).encode()


def test_weights_name_the_tensor_and_the_largest_difference() -> None:
    changed = {name: array.copy() for name, array in WEIGHTS.items()}
    changed["first"][0, 0] = 0.25
    changed["last"][1:3] = (1.5, 0.0)
    said = differences.describe("models/a/weights.safetensors", save(WEIGHTS), save(changed))
    assert said == "3 of 10 values, by at most 1 (in last)"


def test_one_bit_of_one_weight_is_seen() -> None:
    changed = {name: array.copy() for name, array in WEIGHTS.items()}
    changed["last"].view(np.uint32)[0] ^= 1
    assert differences.largest(WEIGHTS, changed) == (2.0**-23, "last")
    assert differences.describe("w.safetensors", save(WEIGHTS), save(changed)).startswith(
        "1 of 10 values, by at most 1.19e-07"
    )


def test_a_weight_that_is_no_number_any_more_differs_infinitely_and_one_that_never_was_does_not() -> None:
    nothing = WEIGHTS | {"last": np.full(4, np.nan, np.float32)}
    assert differences.largest(WEIGHTS, nothing) == (np.inf, "last")
    assert differences.largest(nothing, nothing)[0] == 0.0


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


def test_predictions_say_how_many_rows() -> None:
    before, after = _csv(index=[0, 1, 2], predicted=[7, 2, 1]), _csv(index=[0, 1, 2], predicted=[7, 3, 4])
    assert differences.describe("predictions.csv", before, after) == "predicted in 2 of 3 rows"


def test_a_table_says_how_far_figures_are_off_and_which_texts_are_others() -> None:
    before, after = _csv(model=["a", "b"], loss=[0.5, 0.25]), _csv(model=["a", "c"], loss=[0.5, 0.75])
    assert differences.describe("t.csv", before, after) == "model in 1 of 2 rows; loss in 1 of 2 rows by at most 0.5"
    longer = differences.describe("t.csv", before, _csv(model=["a"]))
    assert longer == "1 rows with columns model instead of 2 rows with columns model, loss"


def test_the_last_bit_of_a_figure_counts_and_what_is_no_number_on_both_sides_does_not() -> None:
    before, after = b"loss,none\n0.1,\n", b"loss,none\n0.10000000000000002,\n"
    assert differences.describe("t.csv", before, after) == "loss in 1 of 1 rows by at most 1.39e-17"
    before, after = b'{"loss": NaN, "a": 0.1}', b'{"loss": NaN, "a": 0.10000000000000002}'
    assert differences.describe("m.json", before, after) == "a: 0.10000000000000002 instead of 0.1 (+1.39e-17)"


def test_arrays_and_pictures_are_compared_by_value() -> None:
    before, after = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    after[1, 2], after[3, 3] = 9, 200
    assert differences.describe("p.npy", _npy(before), _npy(after)) == "2 of 20 values, by at most 200"
    assert differences.describe("p.png", _png(before), _png(after)) == "2 of 20 pixels, by at most 200 of 255"
    assert differences.describe("p.png", _png(before), _png(before[:2])) == "5 × 2 pixels instead of 5 × 4"


def test_the_same_picture_packed_otherwise_is_said_to_be_the_same_picture() -> None:
    picture = np.arange(10_000, dtype=np.uint8).reshape(100, 100)
    said = differences.describe("p.png", _png(picture, compress_level=0), _png(picture, compress_level=9))
    assert said.startswith("the same content, written otherwise: ")


def test_text_says_which_line_and_bytes_say_where() -> None:
    assert differences.describe("a.md", b"one\ntwo\n", b"one\n2\n") == "line 2: '2' instead of 'two'"
    assert differences.describe("a.md", b"one\n", b"one\ntwo\n") == "2 lines instead of 1"
    assert differences.describe("a.gz", b"abcd", b"axcx") == "2 of 4 bytes, the first at 1"
    assert differences.describe("a.gz", b"abcd", b"abc") == "3 bytes instead of 4"


@pytest.mark.parametrize("name", ["w.safetensors", "a.npy", "p.png", "m.json", "t.csv", "r.md"])
def test_a_file_that_is_not_what_its_name_says_is_compared_as_bytes(name: str) -> None:
    assert differences.describe(name, b"\xff\x00", b"\xff\x01").endswith("1 of 2 bytes, the first at 1")
    assert differences.describe(name, b"", b"\xff\x01").endswith("2 bytes instead of 0")
    assert differences.describe(name, b"\xff", b"\xff") == ""

"""What exact arithmetic promises, in Python's integers: sums of products of the rounded operands, rounded once."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from torch import Tensor

from mnist_pipeline.exact import products

Table = Any  # an array of fractions, in numpy's object type


def operands(values: Tensor, bits: int) -> Table:
    """Float32 values as the fractions that `integers` makes of them, which have to be the nearest of so many bits."""
    found, power = products.integers(values, bits)
    exact = fractions(values)
    whole = np.vectorize(round, otypes=[object])(exact * Fraction(2) ** power)  # halves to even
    assert (whole == found.numpy().astype(object)).all()
    assert power == 127 or 2 ** (bits - 1) <= abs(whole).max() <= 2**bits or not abs(whole).any()
    return whole * (1 / Fraction(2) ** power)


def fractions(values: Tensor) -> Table:
    """Float32 values, as they are."""
    return np.vectorize(lambda value: Fraction(float(value)), otypes=[object])(values.detach().numpy())


def rounded(table: Table) -> Table:
    """The nearest float32 of each, of two the even one; every zero is positive."""
    return np.vectorize(_nearest, otypes=[np.float32])(table)


def _nearest(number: Fraction) -> np.float32:
    guess = np.float32(float(number))  # rounded twice: perhaps a neighbour of the nearest one
    around = [guess, *(np.nextafter(guess, np.float32(end)) for end in (-np.inf, np.inf))]
    nearest = min(around, key=lambda one: (abs(Fraction(float(one)) - number), one.view(np.int32) & 1))
    return np.float32(nearest + 0)


def convolution(left: Table, right: Table, stride: int, padding: int) -> tuple[Table, Any]:
    """A convolution of images (n, inputs, height, width), and where each window of them lies."""
    images = _padded(left, padding)
    high, wide = right.shape[2:]
    places = [range(0, images.shape[axis] - size + 1, stride) for axis, size in ((2, high), (3, wide))]
    result = np.empty((len(images), len(right), *map(len, places)), dtype=object)
    windows = {}
    for (i, row), (j, column) in product(*(list(enumerate(place)) for place in places)):
        windows[i, j] = np.s_[:, :, row : row + high, column : column + wide]
        result[:, :, i, j] = np.tensordot(images[windows[i, j]], right, axes=([1, 2, 3], [1, 2, 3]))
    return result, windows


def _padded(images: Table, by: int) -> Table:
    return np.pad(images, [(0, 0), (0, 0), (by, by), (by, by)], constant_values=0)


def gradients(left: Table, right: Table, pulled: Table, stride: int, padding: int) -> tuple[Table, Table]:
    """Gradients of a convolution for its images and its weights, from `pulled`, that of what it gave."""
    images = _padded(left, padding)
    to_images, to_weights = np.full_like(images, Fraction(0)), np.full_like(right, Fraction(0))
    for (i, j), window in convolution(left, right, stride, padding)[1].items():
        to_images[window] += np.tensordot(pulled[:, :, i, j], right, axes=(1, 0))
        to_weights += np.tensordot(pulled[:, :, i, j], images[window], axes=(0, 0))
    inner = slice(padding, images.shape[2] - padding), slice(padding, images.shape[3] - padding)
    return to_images[:, :, *inner], to_weights

"""Measures of a picture that its search and its normalisation share: edges, strokes, the paper's colour."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Bytes = npt.NDArray[np.uint8]  # (rows, columns, 3)
Colours = npt.NDArray[np.floating]  # (rows, columns, 3) of 0–255
Shades = npt.NDArray[np.floating]  # (rows, columns)
Mask = npt.NDArray[np.bool_]
NEIGHBOURS = np.ones((3, 3), dtype=int)  # a diagonal step does not break a thin stroke
FAINTEST = 16.0  # of 255 shades: less is what paper and light do
ENOUGH, ROUNDS = 4096, 5  # pixels to fit the paper to; after so many fits it hardly moves


def edges(pixels: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The first and last row, and the first and last column."""
    return [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]


def stroke_width(mask: Mask) -> float:
    """Mean width of strokes in pixels, at least 1: a ribbon is four times the mean distance to its edge wide."""
    padded = np.pad(mask, 1)
    to_edge = ndimage.distance_transform_edt(padded)[padded] - 0.5
    return max(1.0, 4 * float(to_edge.mean()))


def paper(colours: Colours, where: Mask, degree: int) -> Colours:
    """The paper's colour at each pixel: a surface, since light is uneven, of degree 1 or 2, fitted to most of the
    pixels at `where`, not to what lies off it; if most do not lie on it, or all have one colour, it is even."""
    every = max(1, round(np.sqrt(where.size / ENOUGH)))
    here = where[::every, ::every]
    seen = colours[::every, ::every][here]
    median = np.median(seen, axis=0)
    if (seen == median).all():  # as in drawings: a fit would only add rounding, for what is half ink to depend on
        return np.broadcast_to(median, colours.shape)
    rows, columns = (np.linspace(-1, 1, length) for length in colours.shape[:2])
    y, x = np.meshgrid(rows, columns, indexing="ij")
    surfaces = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y][: 3 * degree], axis=-1)
    terms = surfaces[::every, ::every][here]
    even = np.zeros((3 * degree, 3))
    even[0] = median
    weights, before = even, np.zeros(0, dtype=bool)
    for _ in range(ROUNDS):
        distances = np.linalg.norm(seen - terms @ weights, axis=1)
        on_it = distances <= 3 * np.median(distances) + 2  # at least half; the 2 is for paper without any grain
        if np.array_equal(on_it, before):
            break
        weights, before = np.linalg.lstsq(terms[on_it], seen[on_it], rcond=None)[0], on_it
    off = np.median(np.linalg.norm(seen - terms @ weights, axis=1))
    fitted: Colours = surfaces @ (even if off > FAINTEST else weights)
    return fitted

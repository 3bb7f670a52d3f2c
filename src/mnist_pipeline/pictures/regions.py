"""Regions of a picture that stand out: those that stay as they are while a threshold sweeps over many shades.

Source: J. Matas, O. Chum, M. Urban, T. Pajdla, "Robust wide baseline stereo from maximally stable extremal regions",
2002; here a region is stable while its bounding box, instead of its area, hardly grows.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Field = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice]
LEVELS = 32  # thresholds between the darkest and the lightest shade: 8 of 255 apart in a picture that has both
SIMILAR = 0.7  # from one threshold to the next, what two boxes share is this much of the larger one
NEIGHBOURS = np.ones((3, 3), dtype=int)  # a diagonal step does not break a thin stroke


@dataclass(frozen=True)
class Region:
    """Connected pixels of `shades` above a threshold, stable from `highest` down to `lowest`; `seed` is one of them.

    `shades` is the field in which the region is the lighter part: the one that was searched, or its negative.
    """

    shades: Field
    box: Box
    seed: tuple[int, int]
    highest: float
    lowest: float
    step: float

    @property
    def contrast(self) -> float:
        """How many shades it stays as it is: what its weakest edge has, within a step."""
        return self.highest - self.lowest + self.step

    @property
    def side(self) -> int:
        """The longer side of its box, in pixels."""
        return longer_side(self.box)

    def mask(self) -> Mask:
        """Its pixels at the middle of its thresholds, in the shape of the field."""
        labels, _ = ndimage.label(self.shades > (self.highest + self.lowest) / 2, NEIGHBOURS)
        pixels: Mask = labels == labels[self.seed]
        return pixels


def longer_side(box: Box) -> int:
    return max(_lengths(box))


def stable(field: Field, smallest: int) -> list[Region]:
    """Light and dark regions of a field (rows, columns) whose longer side has at least `smallest` pixels."""
    step = float(np.ptp(field)) / LEVELS
    return [region for shades in (field, -field) for region in _sweep(shades, step, smallest)] if step else []


def _sweep(shades: Field, step: float, smallest: int) -> Iterator[Region]:
    """Regions as they end: when they grow into something else, or the threshold is at its lowest."""
    alive: list[Region] = []
    for level in float(shades.max()) - step * np.arange(1, LEVELS):
        labels, _ = ndimage.label(shades > level, NEIGHBOURS)
        within = defaultdict(list)
        for region in alive:
            within[int(labels[region.seed])].append(region)
        alive = []
        for label, box in _large(labels, smallest):
            same = max((one for one in within[label] if _similar(one.box, box)), key=_age, default=None)
            if same:
                within[label].remove(same)
                alive.append(replace(same, box=box, lowest=level))
            else:
                alive.append(Region(shades, box, _first(labels, label, box), level, level, step))
        yield from (region for ended in within.values() for region in ended)
    yield from alive


def _large(labels: npt.NDArray[np.integer], smallest: int) -> list[tuple[int, Box]]:
    """Label and box of each region with enough pixels to have such a side, and with such a side."""
    boxes, areas = ndimage.find_objects(labels), np.bincount(labels.ravel())[1:]
    enough = [(int(place) + 1, boxes[place]) for place in np.flatnonzero(areas >= smallest)]
    return [(label, box) for label, box in enough if longer_side(box) >= smallest]


def _similar(one: Box, other: Box) -> bool:
    """Whether two boxes, the first within the second, are nearly the same."""
    return _area(one) >= SIMILAR * _area(other)


def _area(box: Box) -> int:
    rows, columns = _lengths(box)
    return rows * columns


def _lengths(box: Box) -> tuple[int, int]:
    return int(box[0].stop - box[0].start), int(box[1].stop - box[1].start)


def _age(region: Region) -> float:
    return region.contrast


def _first(labels: npt.NDArray[np.integer], label: int, box: Box) -> tuple[int, int]:
    row = box[0].start
    return row, box[1].start + int(np.argmax(labels[row, box[1]] == label))

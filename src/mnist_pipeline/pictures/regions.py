"""Regions of a picture that stand out: those that stay as they are while a threshold sweeps over many shades.

Source: J. Matas, O. Chum, M. Urban, T. Pajdla, "Robust wide baseline stereo from maximally stable extremal regions",
2002; here a region is stable while its bounding box, instead of its area, hardly grows.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter

import numpy as np
from scipy import ndimage

from mnist_pipeline.pictures.measures import NEIGHBOURS, Mask, Shades, stroke_width

LEVELS = 32  # thresholds between the darkest and the lightest shade: 8 of 255 apart in a picture that has both
SIMILAR = 0.7  # from one threshold to the next, what two boxes share is this much of the larger one


@dataclass(frozen=True, eq=False)  # by identity: arrays have no single truth
class Region:
    """Connected pixels above a threshold, stable from `highest` down to `lowest`, of `shades`: the picture, or its
    negative, in which the region is lighter. `seed` is the flat index of one of its pixels."""

    shades: Shades
    box: tuple[slice, slice]
    seed: int
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
        return int(max(self.shades[self.box].shape))

    @cached_property
    def mask(self) -> Mask:
        """Its pixels at the middle of its thresholds, in the shape of the picture."""
        labels, _ = ndimage.label(self.shades > (self.highest + self.lowest) / 2, NEIGHBOURS)
        return np.asarray(labels == labels.flat[self.seed])

    @cached_property
    def filled(self) -> Mask:
        """Its pixels and those in its holes."""
        return np.asarray(ndimage.binary_fill_holes(self.mask))

    @cached_property
    def stroke(self) -> float:
        """The mean width of its strokes, in pixels."""
        return stroke_width(self.mask[self.box])


def stable(shades: Shades, smallest: int, levels: int = LEVELS) -> list[Region]:
    """Light and dark regions of a picture (rows, columns) whose longer side has at least `smallest` pixels."""
    step = float(np.ptp(shades)) / levels
    return [region for side in (shades, -shades) for region in _sweep(side, step, smallest, levels)] if step else []


def _sweep(shades: Shades, step: float, smallest: int, levels: int) -> Iterator[Region]:
    """Regions as they end: when they grow into something else, or the threshold is at its lowest."""
    alive: list[Region] = []
    for level in float(shades.max()) - step * np.arange(1, levels):
        labels, _ = ndimage.label(shades > level, NEIGHBOURS)
        within = defaultdict(list)
        for region in alive:
            within[int(labels.flat[region.seed])].append(region)
        alive = []
        for label, box in enumerate(ndimage.find_objects(labels), 1):
            if max(shades[box].shape) < smallest:
                continue
            similar = [one for one in within[label] if shades[one.box].size >= SIMILAR * shades[box].size]
            if similar:
                same = max(similar, key=attrgetter("contrast"))
                within[label].remove(same)
                alive.append(replace(same, box=box, lowest=level))
            else:
                alive.append(Region(shades, box, int(np.argmax(labels == label)), level, level, step))
        yield from (region for ended in within.values() for region in ended)
    yield from alive

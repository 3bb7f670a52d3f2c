"""Regions of a picture that stand out: those that stay as they are while a threshold sweeps over many shades.

Source: J. Matas, O. Chum, M. Urban, T. Pajdla, "Robust wide baseline stereo from maximally stable extremal regions",
2002; here a region is stable while its bounding box, instead of its area, hardly grows.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mnist_pipeline.pictures.measures import NEIGHBOURS, Mask, Shades, stroke_width

Box = tuple[slice, slice]  # rows and columns
Labels = npt.NDArray[np.int32]
LEVELS = 32  # thresholds between the darkest and the lightest shade: 8 of 255 apart in a picture that has both
MANY = 100  # components: of grain; a box for each takes longer than to count its pixels
SIMILAR = 0.7  # from one threshold to the next, what two boxes share is this much of the larger one


class Component(NamedTuple):
    """Connected pixels above a threshold: their label, box and first flat index; the label around them one below."""

    label: int
    box: Box
    seed: int
    below: int


@dataclass(frozen=True, eq=False)  # by identity: arrays have no single truth
class Region:
    """Connected pixels above a threshold, stable from `highest` down to `lowest`, of `shades`: the picture, or its
    negative, in which the region is lighter. `seed` is the flat index of one of its pixels."""

    shades: Shades
    box: Box
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
    def ink(self) -> Mask:
        """Its pixels at the middle of its thresholds, cropped to its box."""
        labels, _ = ndimage.label(self.shades[self.box] > (self.highest + self.lowest) / 2, NEIGHBOURS)
        row, column = divmod(self.seed, self.shades.shape[1])
        return np.asarray(labels == labels[row - self.box[0].start, column - self.box[1].start])

    @cached_property
    def gaps(self) -> Labels:
        """0 at its ink, 1 around it, more in its holes, a number each; with a pixel more than its box on each side."""
        return np.asarray(ndimage.label(~np.pad(self.ink, 1))[0])

    @cached_property
    def mask(self) -> Mask:
        """Its pixels, in the shape of the picture."""
        return self._placed(self.ink)

    @cached_property
    def filled(self) -> Mask:
        """Its pixels and those in its holes, in the shape of the picture."""
        return self._placed(self.gaps[1:-1, 1:-1] != 1)

    @cached_property
    def stroke(self) -> float:
        """The mean width of its strokes, in pixels."""
        return stroke_width(self.ink)

    def _placed(self, cropped: Mask) -> Mask:
        whole = np.zeros(self.shades.shape, dtype=bool)
        whole[self.box] = cropped
        return whole


def stable(shades: Shades, smallest: int, levels: int = LEVELS) -> list[Region]:
    """Light and dark regions of a picture (rows, columns) whose longer side has at least `smallest` pixels."""
    step = float(np.ptp(shades)) / levels
    return [region for side in (shades, -shades) for region in _sweep(side, step, smallest, levels)] if step else []


def _sweep(shades: Shades, step: float, smallest: int, levels: int) -> Iterator[Region]:
    """Regions as they end: when they grow into something else, or the threshold is at its lowest."""
    thresholds = float(shades.max()) - step * np.arange(1, levels)
    alive: list[tuple[Region, int]] = []  # with the label of the component around it at the next threshold
    for level, components in reversed(list(_components(shades, thresholds[::-1], smallest))):
        within = defaultdict(list)
        for region, label in alive:
            within[label].append(region)
        alive = []
        for label, box, seed, below in components:
            similar = [one for one in within[label] if shades[one.box].size >= SIMILAR * shades[box].size]
            if similar:
                same = max(similar, key=attrgetter("contrast"))
                within[label].remove(same)
                alive.append((replace(same, box=box, lowest=level), below))
            else:
                alive.append((Region(shades, box, seed, level, level, step), below))
        yield from (region for ended in within.values() for region in ended)
    yield from (region for region, _ in alive)


def _components(shades: Shades, rising: Shades, smallest: int) -> Iterator[tuple[float, list[Component]]]:
    """The large components above each of these thresholds, while there are any: they lie in those before."""
    window = slice(0, shades.shape[0]), slice(0, shades.shape[1])
    before = np.zeros(shades.shape, dtype=np.int32)
    for level in rising:
        labels = np.zeros_like(before)
        inside = labels[window]
        if ndimage.label(shades[window] > level, NEIGHBOURS, output=inside) > MANY:
            inside[(np.bincount(inside.ravel()) < smallest)[inside]] = 0
        found = [
            _component(label, _moved(box, window), labels, before)
            for label, box in enumerate(ndimage.find_objects(inside), 1)
            if box and max(inside[box].shape) >= smallest
        ]
        if not found:
            return
        yield level, found
        before, window = labels, _hull([one.box for one in found])


def _component(label: int, box: Box, labels: Labels, before: Labels) -> Component:
    seed = box[0].start * labels.shape[1] + box[1].start + int(np.argmax(labels[box][0] == label))
    return Component(label, box, seed, int(before.flat[seed]))


def _moved(box: Box, window: Box) -> Box:
    rows, columns = (slice(at.start + part.start, at.start + part.stop) for part, at in zip(box, window, strict=True))
    return rows, columns


def _hull(boxes: list[Box]) -> Box:
    spans = zip(*boxes, strict=True)
    rows, columns = (slice(min(one.start for one in span), max(one.stop for one in span)) for span in spans)
    return rows, columns

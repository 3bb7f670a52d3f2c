"""Search for the digit in a picture: the region that stands out most among those that a pen can have drawn.

What a pen draws is told by shape. The limits are those of MNIST's training images, drawn larger, with some room: a
stroke is 0.05 to 0.34 of the digit's longer side wide and up to 3.4 times as long, and no digit is wider than 1.8 of
its height.
"""

from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from scipy import ndimage

from mnist_pipeline.pictures import regions
from mnist_pipeline.pictures.measures import FAINTEST, Colours, Mask, Shades, edges, paper, stroke_width
from mnist_pipeline.pictures.regions import Region

SMALLEST, SMALLEST_SHARE = 6, 0.03  # pixels, and share of the picture, below which nobody reads a digit
NOISE = 4.0  # standard deviations: normal noise exceeds them once in 16,000 pixels
NARROWEST, WIDEST, LONGEST = 0.05, 0.4, 4.0  # strokes, in longer sides of the digit
BROADEST = 2.0  # width, in heights
PINHOLE = 0.02  # of the box: less is a gap in the ink and no loop
WHOLE_EDGE = 0.9
ON_EDGE = 0.5  # of a region's outline, on the picture's edge: more is a part of something larger
NEARLY_ALL = 0.9
LARGEST_HOLE = 0.9  # of the digit's longer side
NARROW_HOLE, PAPER = (
    0.4,
    1.5,
)  # a region so large within a rim this many times as wide as its strokes is no hole: it is ink on paper
LOOKED_AT = 40  # the most prominent regions; a digit that a reader sees is among the first few


@dataclass(frozen=True)
class Candidate:
    """A region that a pen can have drawn, with its pixels and how much it stands out."""

    region: Region
    mask: Mask
    filled: Mask
    stroke: float
    prominence: float


def find(colours: Colours) -> Mask | None:
    """The digit's pixels in a picture (rows, columns, 3) of 0–255, or None when there is nothing like a digit."""
    shades = _contrast(colours)
    smallest = max(SMALLEST, round(SMALLEST_SHARE * max(shades.shape)))
    least = max(FAINTEST, NOISE * _noise(shades))
    found = [region for region in regions.stable(shades, smallest) if region.contrast >= least]
    found = sorted(found, key=_size_and_contrast, reverse=True)[:LOOKED_AT]
    candidates = [candidate for candidate in map(_candidate, found) if candidate]
    return _choose(candidates).mask if candidates else None


def _contrast(colours: Colours) -> Shades:
    """Differences from the paper, along the direction in which the colours differ most; black to white is 255 apart."""
    differences = colours - paper(colours, np.ones(colours.shape[:2], dtype=bool), degree=2)
    flat = differences.reshape(-1, 3)
    direction = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    shades: Shades = differences @ direction / np.sqrt(3)
    return shades


def _noise(shades: Shades) -> float:
    """Standard deviation of the grain, from differences of neighbours, of which a quarter is in no edge."""
    steps = np.abs(np.diff(shades, axis=1))
    return float(np.quantile(steps, 0.25) / 0.4506) if steps.size else 0.0


def _size_and_contrast(region: Region) -> float:
    """Contrast counts for more than size: a scene has large things of little contrast, paper has small dark specks."""
    return float(region.contrast * region.side**0.25)


def _candidate(region: Region) -> Candidate | None:
    """The region with what the choice needs, or None when it has not the shape of a digit."""
    mask = region.mask()
    filled: Mask = ndimage.binary_fill_holes(mask)
    outline = filled & ~ndimage.binary_erosion(filled)
    on_edge = float(np.concatenate(edges(filled)).sum() / outline.sum())
    stroke = stroke_width(mask[region.box])
    top, bottom, left, right = (float(edge.mean()) for edge in edges(mask))
    across = (top and bottom) or (left and right)
    ruled = across and stroke < NARROWEST * max(mask.shape)  # narrower than any digit's stroke: lines of ruled paper
    holds_an_edge = max(top, bottom, left, right) > WHOLE_EDGE  # as sky, table and the paper beside a digit do
    if ruled or holds_an_edge or on_edge > ON_EDGE or not _drawn(mask[region.box]):
        return None
    depth = float(region.shades[mask].max()) - region.lowest + region.step
    one_shade = min(1.0, region.contrast / depth)  # ink is of one shade; what is not keeps changing with the threshold
    prominence = _size_and_contrast(region) * one_shade * (1 - on_edge)
    return Candidate(region, mask, filled, stroke, prominence)


def _drawn(mask: Mask) -> bool:
    """Whether a digit's strokes can have the shape of these pixels, cropped to their box."""
    holes, _ = ndimage.label(~np.pad(mask, 1))
    small = np.bincount(holes.ravel()) < PINHOLE * mask.size
    small[0] = True  # the ink itself
    ink = small[holes][1:-1, 1:-1]
    width, side = stroke_width(ink), max(mask.shape)
    length = ink.sum() / width
    return bool(width <= WIDEST * side and length <= LONGEST * side) and mask.shape[1] <= BROADEST * mask.shape[0]


def _choose(candidates: list[Candidate]) -> Candidate:
    """The most prominent one; where that is a part of the digit, a hole in it, or paper that it is on: the digit."""
    best = max(candidates, key=attrgetter("prominence"))
    whole = max((one for one in candidates if _completes(one, best)), key=attrgetter("region.side"), default=best)
    return max((one for one in candidates if _is_ink_on(one, whole)), key=attrgetter("prominence"), default=whole)


def _completes(one: Candidate, best: Candidate) -> bool:
    """Whether `one` is the whole digit, and `best` the darkest part of its ink or a hole in it."""
    same_shade = one.region.shades is best.region.shades
    is_rim = one.stroke <= PAPER * best.stroke and best.region.side <= LARGEST_HOLE * one.region.side
    return _surrounds(one, best) and (same_shade or is_rim)


def _is_ink_on(one: Candidate, best: Candidate) -> bool:
    """Whether `one` is drawn on `best`, a sheet of paper: what is left of that is wider than the strokes."""
    other_shade = one.region.shades is not best.region.shades
    large = one.region.side >= NARROW_HOLE * best.region.side
    return other_shade and large and _surrounds(best, one) and best.stroke > PAPER * one.stroke


def _surrounds(one: Candidate, other: Candidate) -> bool:
    """Whether nearly all of `other` lies in `one` or in its holes, and both stand out alike."""
    inside = float(one.filled[other.mask].mean()) >= NEARLY_ALL
    first, second = one.region.contrast, other.region.contrast
    return inside and 2 * min(first, second) >= max(first, second)

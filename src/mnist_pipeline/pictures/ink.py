"""Find the digit in a picture: the region that stands out most among those that a pen can have drawn.

What a pen draws is told by shape. The limits are those of MNIST's training images, drawn larger, with some room: a
stroke is 0.05 to 0.34 of the digit's longer side wide and up to 3.4 times as long, and no digit is wider than 1.8 of
its height.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mnist_pipeline.pictures import regions
from mnist_pipeline.pictures.regions import Field, Mask, Region

Colours = npt.NDArray[np.floating]
SMALLEST, SMALLEST_SHARE = 6, 0.03  # pixels, and share of the picture, below which nobody reads a digit
FAINTEST = 16.0  # of 255 shades: less is what paper and light do
NOISE = 4.0  # standard deviations: normal noise exceeds them once in 16,000 pixels
NARROWEST, WIDEST, LONGEST = 0.05, 0.4, 4.0  # strokes, in longer sides of the digit
BROADEST = 2.0  # width, in heights
PINHOLE = 0.02  # of the box: less is a gap in the ink and no loop
WHOLE_EDGE = 0.9
ON_EDGE = 0.5  # of a region's outline, on the picture's edge: more is a part of something larger
ENOUGH, ROUNDS = 4096, 5  # pixels to fit the paper to; after so many fits it hardly moves
NEARLY_ALL = 0.9
LARGEST_HOLE = 0.9  # of the digit's longer side
NARROW_HOLE, PAPER = 0.4, 1.5  # hardly a hole so large has a rim this many times as wide as itself: it is on paper
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
    field = contrast(colours)
    smallest = max(SMALLEST, round(SMALLEST_SHARE * max(field.shape)))
    least = max(FAINTEST, NOISE * _noise(field))
    found = [region for region in regions.stable(field, smallest) if region.contrast >= least]
    found = sorted(found, key=_size_and_contrast, reverse=True)[:LOOKED_AT]
    candidates = [candidate for candidate in map(_candidate, found) if candidate]
    return _choose(candidates).mask if candidates else None


def _choose(candidates: list[Candidate]) -> Candidate:
    """The most prominent; or what it is a part, a hole or the paper of."""
    best = max(candidates, key=_prominence)
    whole = max((one for one in candidates if _completes(one, best)), key=_side, default=best)
    return max((one for one in candidates if _is_ink_on(one, whole)), key=_prominence, default=whole)


def _completes(one: Candidate, best: Candidate) -> bool:
    """Whether `best` is the darkest part of its ink, or a hole in it."""
    same_shade = one.region.shades is best.region.shades
    is_rim = one.stroke <= PAPER * best.stroke and best.region.side <= LARGEST_HOLE * one.region.side
    return _surrounds(one, best) and (same_shade or is_rim)


def _is_ink_on(one: Candidate, best: Candidate) -> bool:
    """Whether `best` is the sheet of paper that it is drawn on: what is left of that is wider than the strokes."""
    other_shade = one.region.shades is not best.region.shades
    large = one.region.side >= NARROW_HOLE * best.region.side
    return other_shade and large and _surrounds(best, one) and best.stroke > PAPER * one.stroke


def _surrounds(one: Candidate, other: Candidate) -> bool:
    """Whether nearly all of the other lies in it or in its holes, and both stand out alike."""
    inside = float(one.filled[other.mask].mean()) >= NEARLY_ALL
    first, second = one.region.contrast, other.region.contrast
    return inside and 2 * min(first, second) >= max(first, second)


def contrast(colours: Colours) -> Field:
    """Differences from the paper, along the direction in which the colours differ most; black to white is 255 apart."""
    differences = colours - paper(colours, np.ones(colours.shape[:2], dtype=bool), degree=2)
    flat = differences.reshape(-1, 3)
    direction = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    field: Field = differences @ direction / np.sqrt(3)
    return field


def paper(colours: Colours, where: Mask, degree: int) -> Colours:
    """The paper's colour at each pixel: a surface, since light is uneven, of degree 1 or 2.

    It is fitted to most of the pixels at `where`, not to what lies off it; if most do not lie on it, it is even.
    """
    rows, columns = (np.linspace(-1, 1, length) for length in colours.shape[:2])
    y, x = np.meshgrid(rows, columns, indexing="ij")
    surfaces = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y][: 3 * degree], axis=-1)
    every = max(1, round(np.sqrt(x.size / ENOUGH)))
    here = where[::every, ::every]
    terms, seen = (part[::every, ::every][here] for part in (surfaces, colours))
    weights = np.zeros((3 * degree, 3))
    weights[0] = np.median(seen, axis=0)
    for _ in range(ROUNDS):
        distances = np.linalg.norm(seen - terms @ weights, axis=1)
        on_it = distances <= 3 * np.median(distances) + 2  # at least half; the 2 is for paper without any grain
        weights = np.linalg.lstsq(terms[on_it], seen[on_it], rcond=None)[0]
    if np.median(np.linalg.norm(seen - terms @ weights, axis=1)) > FAINTEST:
        weights[:] = 0
        weights[0] = np.median(seen, axis=0)
    fitted: Colours = surfaces @ weights
    return fitted


def _noise(field: Field) -> float:
    """Standard deviation of the grain, from differences of neighbours, of which a quarter is in no edge."""
    steps = np.abs(np.diff(field, axis=1))
    return float(np.quantile(steps, 0.25) / 0.4506) if steps.size else 0.0


def _prominence(candidate: Candidate) -> float:
    return candidate.prominence


def _side(candidate: Candidate) -> int:
    return candidate.region.side


def _size_and_contrast(region: Region) -> float:
    """Contrast counts for more than size: a scene has large things of little contrast, paper has small dark specks."""
    return float(region.contrast * region.side**0.25)


def _candidate(region: Region) -> Candidate | None:
    """The region with what the choice needs, or None when it has not the shape of a digit."""
    mask = region.mask()
    filled: Mask = ndimage.binary_fill_holes(mask)
    on_edge = _share_on_edge(filled)
    if not _drawn(mask[region.box]) or on_edge > ON_EDGE or _ruled(mask) or _holds_an_edge(mask):
        return None
    depth = float(region.shades[mask].max()) - region.lowest + region.step
    one_shade = min(1.0, region.contrast / depth)  # ink is of one shade; what is not keeps changing with the threshold
    prominence = _size_and_contrast(region) * one_shade * (1 - on_edge)
    return Candidate(region, mask, filled, stroke_width(mask[region.box]), prominence)


def _drawn(mask: Mask) -> bool:
    holes, _ = ndimage.label(~np.pad(mask, 1))
    small = np.bincount(holes.ravel()) < PINHOLE * mask.size
    small[0] = False  # the ink itself
    filled = (np.pad(mask, 1) | small[holes])[1:-1, 1:-1]
    width, side = stroke_width(filled), max(mask.shape)
    length = filled.sum() / width
    return bool(width <= WIDEST * side and length <= LONGEST * side) and mask.shape[1] <= BROADEST * mask.shape[0]


def stroke_width(mask: Mask) -> float:
    """Mean width of strokes in pixels, at least 1: a ribbon is four times the mean distance to its edge wide."""
    padded = np.pad(mask, 1)
    to_edge = ndimage.distance_transform_edt(padded)[padded] - 0.5
    return max(1.0, 4 * float(to_edge.mean()))


def _ruled(mask: Mask) -> bool:
    """Whether it goes from edge to edge and is narrower than any digit's stroke, as the lines of ruled paper are."""
    top, bottom, left, right = (bool(edge.any()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    across = (top and bottom) or (left and right)
    return across and stroke_width(mask) < NARROWEST * max(mask.shape)


def _holds_an_edge(mask: Mask) -> bool:
    """Whether it takes up a whole edge of the picture, as sky, table and the paper beside a digit do."""
    return any(float(edge.mean()) > WHOLE_EDGE for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def _share_on_edge(filled: Mask) -> float:
    outline = filled & ~ndimage.binary_erosion(filled)
    on_edge = sum(int(edge.sum()) for edge in (filled[0], filled[-1], filled[:, 0], filled[:, -1]))
    return on_edge / max(1, int(outline.sum()))

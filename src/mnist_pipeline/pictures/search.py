"""Search for the digit in a picture: the region that stands out most among those that a pen can have drawn, by shape.

The limits are those of MNIST's training images, drawn larger, with some room: a stroke is 0.05 to 0.34 of the digit's
longer side wide and up to 3.4 times as long, and no digit is wider than 1.8 of its height.
"""

from heapq import nlargest
from operator import attrgetter

import numpy as np
from scipy import ndimage

from mnist_pipeline.pictures import regions
from mnist_pipeline.pictures.measures import FAINTEST, Bytes, Colours, Mask, Shades, edges, paper, stroke_width
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
NARROW_HOLE = 0.4  # likewise: more, in a rim that is `PAPER` times as wide as its strokes, is ink on paper and no hole
PAPER = 1.5
SOFT = 0.5  # of the ink of a drawing: what its strokes have of soft edges
LOOKED_AT = 40  # the most prominent regions; a digit that a reader sees is among the first few


def find(colours: Bytes) -> Mask | None:
    """The digit's pixels in a picture (rows, columns, 3), or None when there is nothing like a digit: the most
    prominent region or, where that is a part of a digit, a hole in it, or paper that it is on, the digit."""
    drawing = _drawing(colours)
    shades, levels = (_contrast(colours.astype(np.float64)), regions.LEVELS) if drawing is None else (drawing, 2)
    smallest = max(SMALLEST, round(SMALLEST_SHARE * max(shades.shape)))
    steps = np.abs(np.diff(shades, axis=1))  # of neighbours; a quarter of them is in no edge, and tells the grain
    least = max(FAINTEST, NOISE * (float(np.quantile(steps, 0.25) / 0.4506) if steps.size else 0.0))
    found = [region for region in regions.stable(shades, smallest, levels) if region.contrast >= least]
    looked_at = nlargest(LOOKED_AT, found, key=_size_and_contrast)
    drawn = {region: prominence for region in looked_at if (prominence := _prominence(region))}
    if not drawn:
        return None
    best = max(drawn, key=drawn.__getitem__)
    whole = max((one for one in drawn if _completes(one, best)), key=attrgetter("side"), default=best)
    return max((one for one in drawn if _is_ink_on(one, whole)), key=drawn.__getitem__, default=whole).mask


def _drawing(colours: Bytes) -> Shades | None:
    """The shades of a picture of two colours and little between them, soft edges; None for any other."""
    red, green, blue = np.moveaxis(colours, -1, 0).astype(np.int32, order="C")
    codes = red << 16 | green << 8 | blue  # a number for each colour
    first, last = int(codes.argmin()), int(codes.argmax())
    counts = [np.count_nonzero(codes == codes.flat[place]) for place in (first, last)]
    if codes.flat[first] == codes.flat[last] or codes.size - sum(counts) > SOFT * min(counts):
        return None
    difference = [int(part.flat[last] - part.flat[first]) for part in (red, green, blue)]
    along = red * difference[0] + green * difference[1] + blue * difference[2]
    return np.asarray(along / np.linalg.norm(difference) / np.sqrt(3))


def _contrast(colours: Colours) -> Shades:
    """Differences from the paper, along the direction in which the colours differ most; black to white is 255 apart."""
    differences = colours - paper(colours, np.ones(colours.shape[:2], dtype=bool), degree=2)
    flat = differences.reshape(-1, 3)
    direction = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    return np.asarray(differences @ direction / np.sqrt(3))


def _size_and_contrast(region: Region) -> float:
    """Contrast counts for more than size: a scene has large things of little contrast, paper has small dark specks."""
    return region.contrast * float(region.side**0.25)


def _prominence(region: Region) -> float:
    """How much the region stands out; 0 when it has not the shape of a digit."""
    top, bottom, left, right = (float(edge.mean()) for edge in edges(region.mask))
    if max(top, bottom, left, right) > WHOLE_EDGE:  # as sky, table and the paper beside a digit have it
        return 0.0
    filled = region.filled[region.box]
    outline = filled & ~ndimage.binary_erosion(filled)
    on_edge = float(np.concatenate(edges(region.filled)).sum() / outline.sum())
    thin = region.stroke < NARROWEST * max(region.mask.shape)  # narrower than any digit's stroke
    ruled = thin and ((top and bottom) or (left and right))  # the lines of ruled paper
    if ruled or on_edge > ON_EDGE or not _drawn(region):
        return 0.0
    depth = float(region.shades[region.box][region.ink].max()) - region.lowest + region.step
    one_shade = min(1.0, region.contrast / depth)  # ink is of one shade; what is not keeps changing with the threshold
    return _size_and_contrast(region) * one_shade * (1 - on_edge)


def _drawn(region: Region) -> bool:
    """Whether a digit's strokes can have the shape of the region."""
    small = np.bincount(region.gaps.ravel()) < PINHOLE * region.ink.size
    small[0] = True  # the ink itself
    ink = small[region.gaps][1:-1, 1:-1]
    width = stroke_width(ink) if small[1:].any() else region.stroke
    length, (height, breadth) = ink.sum() / width, ink.shape
    return bool(width <= WIDEST * region.side and length <= LONGEST * region.side) and breadth <= BROADEST * height


def _completes(one: Region, best: Region) -> bool:
    """Whether `one` is the whole digit, and `best` the darkest part of its ink or a hole in it."""
    is_rim = one.stroke <= PAPER * best.stroke and best.side <= LARGEST_HOLE * one.side
    return _surrounds(one, best) and (one.shades is best.shades or is_rim)


def _is_ink_on(one: Region, best: Region) -> bool:
    """Whether `one` is drawn on `best`, a sheet of paper: what is left of that is wider than the strokes."""
    large = one.side >= NARROW_HOLE * best.side
    wider = best.stroke > PAPER * one.stroke
    return one.shades is not best.shades and large and wider and _surrounds(best, one)


def _surrounds(one: Region, other: Region) -> bool:
    """Whether nearly all of `other` lies in `one` or in its holes, and both stand out alike."""
    inside = float(one.filled[other.mask].mean()) >= NEARLY_ALL
    return inside and 2 * min(one.contrast, other.contrast) >= max(one.contrast, other.contrast)

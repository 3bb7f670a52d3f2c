"""From a digit in a picture to MNIST's look: black and white, normalised into a box of 20×20 with its proportions kept,
where anti-aliasing brings grey levels in, its centre of mass in the centre of 28×28.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mnist_pipeline.data import idx
from mnist_pipeline.pictures.measures import NEIGHBOURS, Colours, Mask, Shades, edges, paper, stroke_width

BOX = 20  # MNIST's digits have this longer side
DRAWN = 4 * BOX  # the longer side at which digits are worked on: a pixel of the box is an area of 16
THINNEST, THICKEST = 1.7, 4.0  # pixels of the box: 5 and 95 % of MNIST's training images have narrower strokes
MARGIN = 0.2  # of the longer side: so much around the digit shows what paper it is on
ENOUGH_PAPER = 0.1  # of what is looked at
NEAR, PART = 0.1, 0.03  # of the longer side and of the ink: how near and how large the parts of a broken digit are
Pixels = npt.NDArray[np.float32]


def normalise(picture: Image.Image, digit: Mask) -> Pixels:
    """The digit as float32 (28, 28), 0 background to 255 ink; `digit` marks it in a reduced copy of the RGB picture."""
    colours, rough = _around(picture, digit)
    drawn = _with_parts(_ink(colours, rough) > 0.5, rough)
    return _fitted(_weighted(drawn))


def light_on_dark(picture: Image.Image) -> Pixels | None:
    """The grey values of a picture in MNIST's format, as float32, its border dark; None when all are the same."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    if np.ptp(grey) == 0:
        return None
    return 255 - grey if np.median(np.concatenate(edges(grey))) > 127 else grey


def _around(picture: Image.Image, digit: Mask) -> tuple[Colours, Mask]:
    """The digit with some paper around it, and its mask, both with a longer side of `DRAWN` for the digit alone."""
    box = ndimage.find_objects(digit, 1)[0]
    side = max(digit[box].shape)
    margin, scale = max(2.0, MARGIN * side), DRAWN / side
    top, left = (max(0.0, part.start - margin) for part in box)
    bottom, right = (min(float(length), part.stop + margin) for part, length in zip(box, digit.shape, strict=True))
    size = (round((right - left) * scale), round((bottom - top) * scale))
    across, down = picture.width / digit.shape[1], picture.height / digit.shape[0]
    place = (left * across, top * down, right * across, bottom * down)
    colours = picture.resize(size, Image.Resampling.BICUBIC, box=place)
    marked = Image.fromarray(digit.astype(np.uint8) * 255)
    covered = np.asarray(marked.resize(size, Image.Resampling.BILINEAR, box=(left, top, right, bottom)))
    least = min(127, int(covered.max()) // 2)  # strokes far thinner than pixels now are cover less than half of each
    return np.asarray(colours, dtype=np.float64), covered > least


def _ink(colours: Colours, rough: Mask) -> Shades:
    """How far each pixel is on the way from the paper's colour, 0, to the ink's, 1."""
    around = ~ndimage.binary_dilation(rough, iterations=DRAWN // 16)  # without the soft edge, if there is so much paper
    differences = colours - paper(colours, around if around.mean() > ENOUGH_PAPER else ~rough, degree=1)
    direction = np.median(differences[rough], axis=0)
    share = differences @ direction / max(1.0, float(direction @ direction))
    return np.asarray(share / max(1e-6, float(np.percentile(share[rough], 75))))  # the ink's, not its soft edge's


def _with_parts(ink: Mask, rough: Mask) -> Mask:
    """The whole digit: the ink at `rough`, and large parts near it that no stroke connects with it."""
    labels, _ = ndimage.label(ink, NEIGHBOURS)
    found = np.isin(labels, labels[ink & rough])
    if not found.any():
        return rough
    if np.array_equal(found, ink):
        return found
    near = labels[ndimage.distance_transform_edt(~found) <= NEAR * DRAWN]
    large = np.flatnonzero(np.bincount(labels.ravel()) >= PART * found.sum())
    on_edge = np.concatenate(edges(labels))  # parts of something larger; label 0 is no ink
    return found | np.isin(labels, np.setdiff1d(np.intersect1d(near, large), [0, *on_edge]))


def _weighted(drawn: Mask) -> Shades:
    """The digit with strokes as wide as most of MNIST's, from 0 to 1, cropped; only others change."""
    scale = DRAWN / BOX
    digit = drawn[ndimage.find_objects(drawn, 1)[0]]
    width = stroke_width(digit) / scale
    if THINNEST <= width <= THICKEST:
        return np.asarray(digit, dtype=np.float64)
    cropped = np.pad(digit, 2 * DRAWN // BOX)
    inside, outside = ndimage.distance_transform_edt(cropped), ndimage.distance_transform_edt(~cropped)
    to_edge = np.where(cropped, inside - 0.5, 0.5 - outside)  # positive in the ink
    moved = to_edge + (np.clip(width, THINNEST, THICKEST) - width) / 2 * scale
    soft = np.clip(moved + 0.5, 0, 1)
    kept = soft if (soft >= 0.5).any() else cropped.astype(np.float64)
    return np.asarray(kept[ndimage.find_objects(kept >= 0.5, 1)[0]])


def _fitted(ink: Shades) -> Pixels:
    """Ink of 0–1 in a box of 20×20, its centre of mass as near that of 28×28 as whole pixels allow, as 0–255."""
    rows, columns = (max(1, round(length * BOX / max(ink.shape))) for length in ink.shape)
    reduced = Image.fromarray(ink.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX)
    digit = np.asarray(reduced) * np.float32(255)
    down, across = (round(idx.SIZE / 2 - float(centre)) for centre in ndimage.center_of_mass(digit))
    top, left = np.clip((down, across), 0, (idx.SIZE - rows, idx.SIZE - columns))
    seen = np.zeros((idx.SIZE, idx.SIZE), dtype=np.float32)
    seen[top : top + rows, left : left + columns] = digit
    return seen

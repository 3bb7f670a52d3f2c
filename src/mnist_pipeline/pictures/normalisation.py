"""From a digit in a picture to MNIST's look: what MNIST's makers did to black and white scans of forms.

The digit is made black and white, its size normalised into a box of 20×20 with its proportions kept, where
anti-aliasing brings grey levels in, and its centre of mass put into the centre of 28×28.
Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mnist_pipeline.data import idx
from mnist_pipeline.pictures.ink import Colours, paper, stroke_width
from mnist_pipeline.pictures.regions import NEIGHBOURS, Field, Mask, longer_side

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
    return centre(_fit(_weighted(drawn)))


def _around(picture: Image.Image, digit: Mask) -> tuple[Colours, Mask]:
    """The digit with some paper around it, and its mask, both with a longer side of `DRAWN` for the digit alone."""
    box = ndimage.find_objects(digit.astype(int))[0]
    margin = max(2.0, MARGIN * longer_side(box))
    (top, bottom), (left, right) = (
        (max(0.0, part.start - margin), min(float(length), part.stop + margin))
        for part, length in zip(box, digit.shape, strict=True)
    )
    scale = DRAWN / longer_side(box)
    size = (round((right - left) * scale), round((bottom - top) * scale))
    across, down = picture.width / digit.shape[1], picture.height / digit.shape[0]
    place = (left * across, top * down, right * across, bottom * down)
    colours = picture.resize(size, Image.Resampling.BICUBIC, box=place)
    mask = Image.fromarray(digit.astype(np.uint8) * 255).resize(
        size, Image.Resampling.BILINEAR, box=(left, top, right, bottom)
    )
    covered = np.asarray(mask)  # less than half of every pixel, where strokes are far thinner than pixels now are
    return np.asarray(colours, dtype=np.float64), covered > min(127, int(covered.max()) // 2)


def _ink(colours: Colours, rough: Mask) -> Field:
    """How far each pixel is on the way from the paper's colour, 0, to the ink's, 1."""
    around = ~ndimage.binary_dilation(rough, iterations=DRAWN // 16)  # without the soft edge, if there is so much paper
    differences = colours - paper(colours, around if around.mean() > ENOUGH_PAPER else ~rough, degree=1)
    direction = np.median(differences[rough], axis=0)
    share: Field = differences @ direction / max(1.0, float(direction @ direction))
    return share / max(1e-6, float(np.percentile(share[rough], 75)))  # the ink's shade, not that of its soft edge


def _with_parts(ink: Mask, rough: Mask) -> Mask:
    """The digit, whole: the ink that was found, and large parts near it, which no stroke ties to it."""
    labels, count = ndimage.label(ink, NEIGHBOURS)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    found = np.bincount(labels.ravel(), rough.ravel(), minlength=count + 1) > 0
    found[0] = False
    if not found.any():
        return rough
    near = ndimage.distance_transform_edt(~found[labels]) <= NEAR * DRAWN
    part = np.isin(np.arange(count + 1), labels[near]) & (areas >= PART * areas[found].sum())
    part[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False  # of something larger
    part[0] = False
    digit: Mask = (found | part)[labels]
    return digit


def _weighted(drawn: Mask) -> Field:
    """The digit with strokes as wide as most of MNIST's, from 0 to 1, cropped; only what is off that range changes."""
    cropped = np.pad(drawn[ndimage.find_objects(drawn.astype(int))[0]], 2 * DRAWN // BOX)
    scale = DRAWN / BOX
    width = stroke_width(cropped) / scale
    inside, outside = ndimage.distance_transform_edt(cropped), ndimage.distance_transform_edt(~cropped)
    to_edge = np.where(cropped, inside - 0.5, 0.5 - outside)  # positive in the ink
    moved = to_edge + (np.clip(width, THINNEST, THICKEST) - width) / 2 * scale
    soft: Field = np.clip(moved + 0.5, 0, 1)
    kept: Field = soft if (soft >= 0.5).any() else cropped.astype(np.float64)
    box: Field = kept[ndimage.find_objects((kept >= 0.5).astype(int))[0]]
    return box


def _fit(ink: Field) -> Pixels:
    """Ink of 0–1 into a box of 20×20, its proportions kept, as 0–255; a pixel is the mean of what it covers."""
    size = [max(1, round(length * BOX / max(ink.shape))) for length in ink.shape]
    reduced = Image.fromarray(ink.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(reduced) * np.float32(255)


def centre(digit: Pixels) -> Pixels:
    """A digit of at most (20, 20) on an empty (28, 28), its centre of mass as near the centre as whole pixels allow."""
    mass = ndimage.center_of_mass(digit)
    room = [idx.SIZE - length for length in digit.shape]
    top, left = (int(np.clip(round(idx.SIZE / 2 - float(at)), 0, most)) for at, most in zip(mass, room, strict=True))
    pixels = np.zeros((idx.SIZE, idx.SIZE), dtype=np.float32)
    pixels[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return pixels

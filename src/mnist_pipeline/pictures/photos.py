"""Pictures as people have them, from any bytes to what a network sees: photos, scans, screenshots, drawings."""

import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import idx
from mnist_pipeline.pictures import ink, normalisation
from mnist_pipeline.pictures.normalisation import Pixels

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not EPS: that would run a program
MOST_PIXELS = 64_000_000
KEPT, SEARCHED, SHOWN = 2048, 320, 512  # longer sides: as worked on, as searched for a digit, as shown to people
NOTHING = "nothing in it looks like a digit; expected one, drawn in one colour on another"
INK_ON_NOTHING = 64  # of 255 shades: if what is opaque differs by less, it is ink, and what is transparent the paper
_ONE_AT_A_TIME = threading.Lock()  # large pictures fill the memory, and a filter for warnings holds for all threads


@dataclass(frozen=True)
class Picture:
    """A picture of one digit.

    `original`: RGB, upright, longer side at most 512 pixels. `pixels`: what a network sees, float32 (28, 28), 0
    background to 255 ink.
    """

    original: Image.Image
    pixels: Pixels


def read(source: Path | BinaryIO, name: str) -> Picture:
    """The digit in a picture file: the first frame, upright, of any size, colour and polarity.

    A picture of 28×28 pixels is taken for one in MNIST's format and keeps them, but for its polarity. Raises
    PipelineError, with one line that begins with `name`, for whatever is no picture, is damaged or too large, or shows
    no digit.
    """
    upright = _decode(source, name)
    original = upright.copy()
    original.thumbnail((SHOWN, SHOWN))
    if upright.size == (idx.SIZE, idx.SIZE):
        return Picture(original, _as_it_is(upright, name))
    digit = ink.find(np.asarray(_reduced(upright, SEARCHED), dtype=np.float64))
    if digit is None:
        raise PipelineError(f"{name}: {NOTHING}")
    return Picture(original, normalisation.normalise(upright, digit))


def _as_it_is(picture: Image.Image, name: str) -> Pixels:
    """Its grey values, with a dark border: turned into its negative where the border is light."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    if np.ptp(grey) == 0:
        raise PipelineError(f"{name}: {NOTHING}")
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return 255 - grey if np.median(border) > 127 else grey


def _decode(source: Path | BinaryIO, name: str) -> Image.Image:
    """RGB, upright, reduced to what is worked on."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sizes, which are checked here, and about tags that nothing here reads
        try:
            with Image.open(source, formats=FORMATS) as picture:
                _check_size(picture, name)
                picture.draft(None, (KEPT, KEPT))
                picture.load()
                return _reduced(_colours(ImageOps.exif_transpose(picture)), KEPT)
        except PipelineError:
            raise
        except FileNotFoundError:
            raise PipelineError(f"{name}: no such file") from None
        except Image.DecompressionBombError:  # Pillow's own limit is beyond ours, and comes before the size is known
            raise PipelineError(
                f"{name}: at most {MOST_PIXELS / 1e6:.0f} million pixels are read: make it smaller"
            ) from None
        except UnidentifiedImageError:
            raise PipelineError(f"{name}: not a picture that can be read; expected {', '.join(FORMATS)}") from None
        except Exception as error:  # decoders raise whatever the bytes make them raise
            cause = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
            raise PipelineError(f"{name}: not a picture that can be read: {cause}") from error


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if not width * height:
        raise PipelineError(f"{name}: a picture of {width}×{height} pixels; expected at least 1×1")
    if width * height > MOST_PIXELS:
        found = f"{width}×{height} pixels, {width * height / 1e6:.0f} million"
        raise PipelineError(f"{name}: {found}; at most {MOST_PIXELS / 1e6:.0f} million are read: make it smaller")


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    """The picture with a longer side of at most `side`; each pixel is the mean of those it covers."""
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX) if scale < 1 else picture


def _colours(picture: Image.Image) -> Image.Image:
    """RGB of 8 bits, from any mode."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = _eight_bits(picture)
    return _on_paper(picture.convert("RGBA")) if picture.has_transparency_data else picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey from its darkest to its lightest: with 16 bits or more no file says which value is white."""
    deep = (picture if picture.mode == "F" else picture.convert("I")).convert("F")
    reduced = deep.reduce(max(1, max(deep.size) // KEPT))  # before its values are copied
    values = np.nan_to_num(np.asarray(reduced))
    stretched = (values - values.min()) * (255 / max(float(np.ptp(values)), 1e-9))
    return Image.fromarray(stretched.round().astype(np.uint8))


def _on_paper(picture: Image.Image) -> Image.Image:
    """RGBA on an opaque colour: that of the opaque part, if something is drawn in it; else what shows its ink best."""
    shades, alpha = np.asarray(picture.convert("L")), np.asarray(picture.getchannel("A"))
    opaque = alpha > alpha.max() // 2
    if not opaque.any():
        return picture.convert("RGB")
    darkest, lightest = np.percentile(shades[opaque], [1, 99])
    if lightest - darkest < INK_ON_NOTHING:
        paper = (255, 255, 255) if (darkest + lightest) / 2 < 128 else (0, 0, 0)
    else:
        red, green, blue = np.median(np.asarray(picture.convert("RGB"))[opaque], axis=0).astype(int).tolist()
        paper = (red, green, blue)
    backdrop = Image.new("RGBA", picture.size, (*paper, 255))
    return Image.alpha_composite(backdrop, picture).convert("RGB")

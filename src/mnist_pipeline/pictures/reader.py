"""Picture files to what a network sees: decode, search, normalise; without torch, so that a process stays small."""

import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import idx
from mnist_pipeline.pictures import normalisation, search
from mnist_pipeline.pictures.normalisation import Pixels

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not EPS: that would run a program
MOST_PIXELS = 64_000_000
TOO_LARGE = f"at most {MOST_PIXELS / 1e6:.0f} million pixels are read: make it smaller"
UNREADABLE = "not a picture that can be read"
KEPT, SEARCHED = 2048, 320  # the longer side of what is worked on, and of what is searched for a digit
INK_ON_NOTHING = 64  # of 255 shades: if what is opaque differs by less, it is ink, and what is transparent the paper


def read(source: Path | BinaryIO, name: str, formats: tuple[str, ...] = FORMATS) -> tuple[Image.Image, Pixels]:
    """Upright RGB of at most 2048 pixels a side, and what a network sees: float32 (28, 28), 0 background to 255 ink.

    Size, colours and polarity do not matter. A picture of 28×28 pixels is taken for one in MNIST's format and keeps
    them, but for its polarity. Not for several threads at once: a filter for warnings holds for all of them. Raises
    PipelineError, one line that begins with `name`, for what is no picture in these formats, damaged, too large, or
    shows no digit.
    """
    picture = _decode(source, name, formats)
    if picture.size == (idx.SIZE, idx.SIZE):
        pixels = normalisation.light_on_dark(picture)
    else:
        digit = search.find(np.asarray(reduced(picture, SEARCHED)))
        pixels = None if digit is None else normalisation.normalise(picture, digit)
    if pixels is None:
        raise PipelineError(f"{name}: nothing in it looks like a digit; expected one, drawn in one colour on another")
    return picture, pixels


def _decode(source: Path | BinaryIO, name: str, formats: tuple[str, ...]) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sizes, which are checked here, and about tags that nothing here reads
        try:
            with Image.open(source, formats=formats) as picture:
                tags = getattr(picture, "tag_v2", {})  # of a TIFF, which may declare tiles larger than the picture
                tile = (tags.get(tag, 0) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH))
                width, height = (max(side, int(most)) for side, most in zip(picture.size, tile, strict=True))
                if width * height <= MOST_PIXELS:
                    picture.draft(None, (KEPT, KEPT))
                    picture.load()
                    return reduced(_rgb(ImageOps.exif_transpose(picture)), KEPT)
                refused = f"{width}×{height} pixels, {width * height / 1e6:.0f} million; {TOO_LARGE}"
        except FileNotFoundError:
            refused = "no such file"
        except Image.DecompressionBombError:  # Pillow's own limit is higher, and comes before the size is known
            refused = TOO_LARGE
        except UnidentifiedImageError:
            refused = f"{UNREADABLE}; expected {', '.join(formats)}"
        except MemoryError:
            refused = "takes more memory than there is for it: make it smaller"
        except Exception as error:  # decoders raise whatever the bytes make them raise
            cause = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
            refused = f"{UNREADABLE}: {cause}"
    raise PipelineError(f"{name}: {refused}")


def reduced(picture: Image.Image, side: int) -> Image.Image:
    """The picture with a longer side of at most `side`; each pixel is the mean of those it covers."""
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX) if scale < 1 else picture


def _rgb(picture: Image.Image) -> Image.Image:
    """RGB of 8 bits, from any mode; of more bits no file says which is white: stretched from darkest to lightest."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        deep = (picture if picture.mode == "F" else picture.convert("I")).convert("F")
        values = np.nan_to_num(np.asarray(deep.reduce(max(1, max(deep.size) // KEPT))))  # reduced before it is copied
        stretched = (values - values.min()) * (255 / max(float(np.ptp(values)), 1e-9))
        return Image.fromarray(stretched.round().astype(np.uint8)).convert("RGB")
    return _on_paper(picture.convert("RGBA")) if picture.has_transparency_data else picture.convert("RGB")


def _on_paper(picture: Image.Image) -> Image.Image:
    """RGBA on an opaque colour: that of the opaque part, if something is drawn in it; else what shows its ink best."""
    shades, alpha = np.asarray(picture.convert("L")), np.asarray(picture.getchannel("A"))
    opaque = alpha > alpha.max() // 2
    if not opaque.any():
        return picture.convert("RGB")
    darkest, lightest = np.percentile(shades[opaque], [1, 99])
    if lightest - darkest < INK_ON_NOTHING:
        paper = [255] * 3 if (darkest + lightest) / 2 < 128 else [0] * 3
    else:
        paper = np.median(np.asarray(picture.convert("RGB"))[opaque], axis=0).astype(int).tolist()
    backdrop = Image.new("RGBA", picture.size, (*paper, 255))
    return Image.alpha_composite(backdrop, picture).convert("RGB")

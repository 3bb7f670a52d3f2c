"""Reader of picture files: decode, search, normalise; without torch, so that a process that only reads stays small."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import idx
from mnist_pipeline.pictures import decoder, normalisation, search
from mnist_pipeline.pictures.normalisation import Pixels

SEARCHED = 320  # the longer side, as searched for a digit


def read(source: Path | BinaryIO, name: str, formats: tuple[str, ...] = decoder.FORMATS) -> tuple[Image.Image, Pixels]:
    """A picture file as upright RGB, and what a network sees in it: float32 (28, 28), 0 background to 255 ink.

    Size, colours and polarity do not matter. A picture of 28×28 pixels is taken for one in MNIST's format and keeps
    them, but for its polarity. Raises PipelineError, with one line that begins with `name`, for whatever is no picture
    in one of these formats, is damaged or too large, or shows no digit.
    """
    picture = decoder.decode(source, name, formats)
    if picture.size == (idx.SIZE, idx.SIZE):
        pixels = normalisation.light_on_dark(picture)
    else:
        digit = search.find(np.asarray(decoder.reduced(picture, SEARCHED), dtype=np.float64))
        pixels = None if digit is None else normalisation.normalise(picture, digit)
    if pixels is None:
        raise PipelineError(f"{name}: nothing in it looks like a digit; expected one, drawn in one colour on another")
    return picture, pixels

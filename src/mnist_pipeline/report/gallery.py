"""The test images that models got wrong: which they are, and all of them in one picture."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.data import idx

COLUMNS = 40


def mistakes(predictions: pd.DataFrame) -> list[list[int]]:
    """Index, true digit and predicted digit of each wrong prediction, by index."""
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    rows: list[list[int]] = wrong[["index", "label", "predicted"]].sort_values("index").to_numpy().tolist()
    return rows


def why_not(expected: str | None) -> str | None:
    """Why the images in data/idx can't be shown for results on test images of this SHA-256; None when they can."""
    if not paths.TEST_IMAGES.exists():
        return f"{paths.TEST_IMAGES} is not here. Run make repro, then make report again."
    if expected == sha256_of(paths.TEST_IMAGES):
        return None
    return (
        f"{paths.TEST_IMAGES} holds other images than those that this revision was tested on"
        f" ({paths.DATA_METRICS}: SHA-256 {expected or 'unknown'})."
    )


def write(indices: list[int], path: Path) -> None:
    """Write a grey PNG with these test images, row by row, COLUMNS in a row, 28 × 28 pixels each; ink is black.

    Raises PipelineError when the file of test images is missing or damaged.
    """
    rows = -(-len(indices) // COLUMNS)
    tiles = np.full((rows * COLUMNS, idx.SIZE, idx.SIZE), 255, dtype=np.uint8)
    tiles[: len(indices)] = 255 - idx.read(paths.TEST_IMAGES)[indices]
    grid = tiles.reshape(rows, COLUMNS, idx.SIZE, idx.SIZE).swapaxes(1, 2).reshape(rows * idx.SIZE, -1)
    Image.fromarray(grid).save(path, "PNG", optimize=True)

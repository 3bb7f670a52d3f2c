from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.data import idx
from mnist_pipeline.report import page_data

PREDICTIONS = pd.DataFrame({"index": [0, 1, 2, 3], "label": [7, 2, 2, 9], "predicted": [7, 3, 3, 4]})


def test_mistakes_are_the_wrong_ones_by_index() -> None:
    assert page_data.mistakes(PREDICTIONS.iloc[::-1]) == [[1, 2, 3], [2, 2, 3], [3, 9, 4]]
    assert page_data.mistakes(PREDICTIONS.iloc[:1]) == []


@pytest.mark.usefixtures("workspace")
def test_the_sprite_has_each_image_at_its_place_with_black_ink(tmp_path: Path) -> None:
    chosen = [*range(0, 2 * page_data.COLUMNS, 2), 7]  # one more than a row
    path = tmp_path / "sprite.png"
    page_data.draw(chosen, path)
    pixels = np.asarray(Image.open(path))
    assert pixels.shape == (2 * idx.SIZE, page_data.COLUMNS * idx.SIZE)
    for place, index in enumerate(chosen):
        top, left = idx.SIZE * (place // page_data.COLUMNS), idx.SIZE * (place % page_data.COLUMNS)
        tile = pixels[top : top + idx.SIZE, left : left + idx.SIZE]
        assert np.array_equal(255 - tile, idx.read(paths.TEST_IMAGES)[index])
    assert (pixels[idx.SIZE :, idx.SIZE :] == 255).all()


@pytest.mark.usefixtures("workspace")
def test_images_of_other_data_are_refused_and_missing_ones_named() -> None:
    assert page_data.why_not(sha256_of(paths.TEST_IMAGES)) is None
    assert "holds other images" in str(page_data.why_not("0" * 64))
    assert "0" * 64 in str(page_data.why_not("0" * 64))
    assert "unknown" in str(page_data.why_not(None))
    paths.TEST_IMAGES.unlink()
    assert "Run make repro" in str(page_data.why_not("0" * 64))

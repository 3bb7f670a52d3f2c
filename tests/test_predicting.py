"""From pictures to probabilities: the scaling is built in, and what is no picture of a digit is refused by name."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_pipeline import checkpoints, dataset, predicting
from mnist_pipeline.errors import PipelineError
from tests import synthetic


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a model that learned the synthetic digits."""
    synthetic.train(tmp_path / "small", epochs=4)
    return tmp_path / "small"


def picture(path: Path, number: int = 0, mode: str = "L") -> Path:
    Image.fromarray(synthetic.digits(20, seed=5)[0][number]).convert(mode).save(path)
    return path


def test_a_saved_model_recognises_pictures(model: Path, tmp_path: Path) -> None:
    pictures = [picture(tmp_path / f"{number}.png", number) for number in range(20)]
    probabilities = predicting.predict(predicting.load(model), pictures)
    assert probabilities.shape == (20, 10)
    assert probabilities.sum(dim=1).tolist() == pytest.approx([1.0] * 20, abs=1e-5)
    assert probabilities.argmax(dim=1).tolist() == synthetic.digits(20, seed=5)[1].tolist()


def test_the_classifier_scales_as_training_did(model: Path) -> None:
    network, card = checkpoints.load(model)
    images, _ = synthetic.dataset(5).batch(torch.arange(5))
    with torch.inference_mode():
        expected = network(dataset.scale(images, card.recipe.scaling)).softmax(dim=1)
        assert torch.equal(predicting.load(model)(images), expected)


def test_a_picture_is_its_grey_values(tmp_path: Path) -> None:
    image = predicting.read_image(picture(tmp_path / "digit.png"))
    assert (image.shape, image.dtype) == ((1, 28, 28), torch.float32)
    assert np.array_equal(image[0].numpy(), synthetic.digits(20, seed=5)[0][0])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1"])
def test_a_picture_in_colour_becomes_grey(mode: str, tmp_path: Path) -> None:
    image = predicting.read_image(picture(tmp_path / "digit.png", mode=mode))
    assert image.shape == (1, 28, 28)
    assert 0 <= image.min() < image.max() <= 255


@pytest.mark.parametrize(("content", "message"), [(None, "no such file$"), (b"text", "not a picture"), (b"", "not a")])
def test_what_is_no_picture_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PipelineError, match=f"^{path}: {message}"):
        predicting.read_image(path)


def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = picture(tmp_path / "digit.png")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(PipelineError, match=f"^{path}: not a picture that can be read"):
        predicting.read_image(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=f"^{tmp_path}: not a picture that can be read"):
        predicting.read_image(tmp_path)


@pytest.mark.parametrize("size", [(28, 27), (280, 280), (1, 1)])
def test_a_picture_of_another_size_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    Image.new("L", size).save(path)
    with pytest.raises(PipelineError, match=f"expected a picture of 28×28 pixels, found {size[0]}×{size[1]}$"):
        predicting.read_image(path)


def test_the_table_has_a_line_a_picture() -> None:
    row = [0.0] * 7 + [0.75, 0.25, 0.0]
    head, line = predicting.table([Path("seven.png")], [row]).splitlines()
    assert head.split() == ["image", "digit", *"0123456789"]
    assert line.split() == ["seven.png", "7", *["0.00%"] * 7, "75.00%", "25.00%", "0.00%"]
    assert len(head) == len(line)

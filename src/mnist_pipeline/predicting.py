"""From pictures to probabilities: a model as people use it, with its scaling built in."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor, nn

from mnist_pipeline import checkpoints, idx
from mnist_pipeline.dataset import scale
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.params import Scaling


class Classifier(nn.Module):
    """Images of shape (n, 1, 28, 28), floats from 0 (background) to 255 (ink), to probabilities of shape (n, 10)."""

    def __init__(self, network: nn.Module, scaling: Scaling) -> None:
        super().__init__()
        self.network = network
        self.scaling = scaling
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(scale(images, self.scaling))
        return logits.softmax(dim=1)


def load(folder: Path) -> Classifier:
    """The classifier in a model's folder. Raises PipelineError when it is missing or damaged."""
    network, card = checkpoints.load(folder)
    return Classifier(network, card.recipe.scaling)


def read_image(path: Path) -> Tensor:
    """A 28×28 picture in MNIST's own look, light ink on dark, as floats of shape (1, 28, 28), 0–255.

    Raises PipelineError when the file is missing, no picture, or of another size.
    """
    try:
        with Image.open(path) as picture:
            if picture.size != (idx.SIZE, idx.SIZE):
                width, height = picture.size
                raise PipelineError(f"{path}: expected a picture of 28×28 pixels, found {width}×{height}")
            if picture.mode.startswith(("I", "F")):
                raise PipelineError(f"{path}: expected 8 bits a channel, found mode {picture.mode}")
            return torch.from_numpy(np.array(picture.convert("L"), dtype=np.float32)).unsqueeze(0)
    except FileNotFoundError:
        raise PipelineError(f"{path}: no such file") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise PipelineError(f"{path}: not a picture that can be read ({error})") from None


@torch.inference_mode()
def predict(classifier: Classifier, paths: list[Path]) -> Tensor:
    """Probabilities of shape (n, 10), one row a picture. Raises PipelineError for the first that can't be read."""
    probabilities: Tensor = classifier(torch.stack([read_image(path) for path in paths]))
    return probabilities


def table(paths: list[Path], rows: list[list[float]]) -> str:
    """A line a picture: the digit it shows and the probability of each digit."""
    width = max(len(str(path)) for path in paths)
    lines = [f"{'image':{width}}  digit  " + "  ".join(f"{digit:>6}" for digit in range(idx.CLASSES))]
    for path, row in zip(paths, rows, strict=True):
        cells = "  ".join(f"{probability:6.2%}" for probability in row)
        lines.append(f"{path!s:{width}}  {row.index(max(row)):>5}  {cells}")
    return "\n".join(lines)

"""A model as people use it: images in, probabilities out, with its scaling built in."""

from pathlib import Path

from torch import Tensor, nn

from mnist_pipeline.core.recipes import Scaling
from mnist_pipeline.data.dataset import scale
from mnist_pipeline.training import checkpoints


class Classifier(nn.Module):
    """Images of shape (n, 1, 28, 28), floats from 0 (background) to 255 (ink), to probabilities (n, len(classes))."""

    def __init__(self, network: nn.Module, scaling: Scaling, classes: list[str]) -> None:
        super().__init__()
        self.classes = classes
        self.network = network
        self.scaling = scaling
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(scale(images, self.scaling))
        return logits.softmax(dim=1)


def load(folder: Path) -> Classifier:
    """The classifier in a model's folder. Raises PipelineError when it is missing or damaged."""
    network, manifest = checkpoints.load(folder)
    return Classifier(network, manifest.recipe.scaling, manifest.classes)

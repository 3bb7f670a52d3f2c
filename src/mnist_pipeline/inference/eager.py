"""A model answered by torch: what exports are held against, and the way of those that have none."""

from pathlib import Path

import torch

from mnist_pipeline.inference.session import Floats
from mnist_pipeline.training import predictor
from mnist_pipeline.training.predictor import Classifier


class Eager:
    """A `session.Model` over a classifier of torch's."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier, self.classes = classifier, classifier.classes

    def __call__(self, images: Floats, /) -> Floats:
        with torch.inference_mode():
            found: Floats = self.classifier(torch.from_numpy(images)).numpy()
        return found


def load(folder: Path) -> Eager:
    """The model in a folder. Raises PipelineError as `predictor.load` does."""
    return Eager(predictor.load(folder))

"""The way from a trained model to its figures, on disk."""

import pytest

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import read_json
from mnist_pipeline.core.params import Params
from mnist_pipeline.results.evaluate import evaluate
from mnist_pipeline.training import history
from mnist_pipeline.training.train import train


@pytest.mark.usefixtures("workspace")
def test_the_figures_of_validation_images_are_those_of_the_training(settings: Params) -> None:
    """They were scored after the last epoch by the same weights: to score them again would cost a third of the time."""
    (name, *_) = settings.models
    train(settings, name).write()
    paths.TRAINING_IMAGES.unlink()
    evaluate(settings, name)
    figures, last = read_json(paths.metrics(name)), history.rows(paths.history(name))[-1]
    for figure in ("validation_accuracy", "validation_loss"):
        assert figures[figure] == last[figure]

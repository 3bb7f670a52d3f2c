"""From images to probabilities: the scaling that training used is built in."""

from pathlib import Path

import torch

from mnist_pipeline.data import dataset
from mnist_pipeline.training import checkpoints, predictor
from tests import synthetic


def test_the_classifier_scales_as_training_did(tmp_path: Path) -> None:
    synthetic.train(tmp_path / "small", epochs=4)
    network, manifest = checkpoints.load(tmp_path / "small")
    images, _ = synthetic.dataset(5).batch(torch.arange(5))
    with torch.inference_mode():
        expected = network(dataset.scale(images, manifest.recipe.scaling)).softmax(dim=1)
        assert torch.equal(predictor.load(tmp_path / "small")(images), expected)

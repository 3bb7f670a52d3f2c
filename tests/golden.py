"""The first losses of every shipped recipe, to the bit: they tell a change that moves numbers from one that does not.

Write them anew, when they are meant to move, with: python -m tests.golden
"""

import os
import tempfile
from itertools import islice
from pathlib import Path

from mnist_pipeline import dataset, files, machine, params, runtime, training, verification
from mnist_pipeline.params import Params
from tests.repository import ROOT

FILE = ROOT / "tests" / "golden.json"
BATCHES = 50


def real_training_set(shipped: Params) -> dataset.Dataset:
    """The real training set, verified into the working directory."""
    verification.verify(shipped.data, ROOT / "data" / "archive" / "mnist")
    return dataset.training_set()


def first_losses(data: dataset.Dataset, shipped: Params, model: str) -> list[float]:
    """The losses of a recipe's first batches, as `train` sees them."""
    recipe, device = shipped.recipe(model), runtime.configure(shipped.runtime)
    indices, _ = dataset.split(data.labels.numpy(), shipped.split)
    started = training.start(recipe, shipped.seed, device)
    runtime.seed(shipped.seed, epoch=1)
    steps = training.steps(started, data, indices, recipe, epoch=1)
    return [loss for loss, _, _ in islice(steps, BATCHES)]


def main() -> None:
    shipped = params.load(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        data = real_training_set(shipped)
        losses = {model: first_losses(data, shipped, model) for model in shipped.models}
        files.write_json(FILE, {"machine": machine.describe(), "losses": losses})
        os.chdir(Path(ROOT))


if __name__ == "__main__":
    main()

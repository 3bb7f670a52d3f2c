"""The first losses of every shipped recipe, to the bit: they tell a change that moves numbers from one that does not.

Write them anew, when they are meant to move, with: python -m tests.golden
"""

import sys

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import params

if __name__ == "__main__":  # before numpy is imported
    if portable.expected(params.load().runtime) == "native":
        sys.exit("error: the golden losses are those of portable arithmetic, which can't be had here")
    portable.pin()

import os
import tempfile
from itertools import islice
from pathlib import Path

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import files
from mnist_pipeline.core.params import Params
from mnist_pipeline.data import dataset, verification
from mnist_pipeline.training import loop
from tests.repository import ROOT

FILE = ROOT / "tests" / "golden.json"
FOLDERS = (".", "studies/published", "studies/exact", "studies/frontier")  # a template may have fewer
PIPELINES = tuple(folder for folder in FOLDERS if (ROOT / folder / "params.yaml").exists())
BATCHES = 50


def verify_real_mnist() -> None:
    """Put `data/idx` of the real MNIST, or of a template's data set, into the working directory."""
    data = shipped()["."].data
    verification.verify(data, ROOT / "data" / "archive" / data.name)


def first_losses(settings: Params, model: str) -> list[float]:
    """The losses of a recipe's first batches, as `train` sees them, on what is in the working directory."""
    recipe, device, data = settings.recipe(model), runtime.configure(settings.runtime), dataset.training_set()
    indices, _ = dataset.split(data.labels.numpy(), settings.split)
    started = loop.start(recipe, settings.seed, device, portable.expected(settings.runtime))
    runtime.seed(settings.seed, epoch=1)
    steps = loop.steps(started, (data, indices), epoch=1)
    return [loss for loss, _, _ in islice(steps, BATCHES)]


def shipped() -> dict[str, Params]:
    """Every pipeline's settings, by the folder of its params.yaml."""
    return {folder: params.load(ROOT / folder / "params.yaml") for folder in PIPELINES}


def main() -> None:
    losses = {}
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        verify_real_mnist()
        for folder, settings in shipped().items():
            losses[folder] = {model: first_losses(settings, model) for model in settings.models}
        files.write_json(FILE, losses)
        os.chdir(Path(ROOT))


if __name__ == "__main__":
    main()

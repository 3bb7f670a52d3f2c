"""Measure the core-seconds of every recipe's training, in measured.json. Run it in this folder, alone on the machine.

Of each recipe one epoch is trained, or its part of one, by turns in one process on one thread; the median of the rounds
counts as often as the recipe has epochs. No two runs take the same, so no stage writes the file; `table` depends on it.
"""

import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stages"))

import bootstrap

from mnist_pipeline.arithmetic import machine, runtime
from mnist_pipeline.commits import git
from mnist_pipeline.core import params
from mnist_pipeline.core.files import write_json
from mnist_pipeline.core.params import Params
from mnist_pipeline.data import dataset
from mnist_pipeline.training import loop

MEASURED, ROUNDS = Path("measured.json"), 3


def main() -> None:
    settings = params.load()
    rounds = [{model: _seconds(settings, model) for model in settings.models} for _ in range(ROUNDS)]
    seconds = {model: round(median(one[model] for one in rounds), 3) for model in settings.models}
    about = {"commit": git.ask("rev-parse", "HEAD"), "machine": machine.describe()}
    write_json(MEASURED, {"core_seconds": seconds, **about})


def _seconds(settings: Params, model: str) -> float:
    recipe, data = settings.recipe(model), dataset.training_set()
    indices, _ = dataset.split(data.labels.numpy(), settings.split)
    part = recipe.model_copy(update={"epochs": min(1.0, recipe.epochs)})
    training = loop.start(part, settings.seed, runtime.configure(settings.runtime))
    began = time.process_time()
    loop.fit(training, (data, indices), {})
    return (time.process_time() - began) * recipe.epochs / part.epochs


if __name__ == "__main__":
    with bootstrap.stage():
        main()

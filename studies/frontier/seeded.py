"""Stages `train@RECIPE_SEED` and `evaluate@RECIPE_SEED`: a recipe under a seed, which draws its validation images too.

Run: dvc repro train@RECIPE_SEED, or evaluate@RECIPE_SEED.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stages"))

import bootstrap

from mnist_pipeline.core import params
from mnist_pipeline.core.params import Params
from mnist_pipeline.results.evaluate import evaluate
from mnist_pipeline.training.train import train


def seeded(name: str) -> Params:
    """params.yaml for RECIPE_SEED: that recipe alone, under this name, with the seed also for the split."""
    given = params.load()
    recipe, _, seed = name.rpartition("_")
    split = given.split.model_copy(update={"seed": int(seed)})
    return given.model_copy(update={"models": {name: given.recipe(recipe)}, "seed": int(seed), "split": split})


def main(stage: str, name: str) -> None:
    if stage == "evaluate":
        evaluate(seeded(name), name)
        return
    trained = train(seeded(name), name)
    trained.write()
    trained.state.done()


if __name__ == "__main__":
    with bootstrap.stage() as arguments:
        main(*arguments)

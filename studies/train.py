"""Stage `train@MODEL` of a study, which scores the test images after every epoch as write-ups do.

Of the models named after the first, every epoch's model is kept in models/MODEL/epochs. Run: dvc repro train@MODEL.
"""

import math
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stages"))

import bootstrap

from mnist_pipeline.core import params, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.training import checkpoints
from mnist_pipeline.training.train import Trained, train


def main(model: str, *kept: str) -> None:
    settings = params.load()
    if settings.split.validation:
        raise PipelineError(
            "params.yaml: a study scores the test images while it trains, so nothing may be chosen: expected "
            f"split.validation 0, found {settings.split.validation}"
        )
    trained = train(settings, model, with_test=True, after_epoch=_keep if model in kept else None)
    trained.write()
    if model in kept:
        _move_epochs(trained)
    trained.state.done()


def _keep(trained: Trained) -> None:
    """Beside the state, so that they survive a kill and serve no other training.

    The epoch counts as reached only when the state is written, which comes after this.
    """
    training, folder = trained.training, trained.state.folder / "epochs"
    checkpoints.save(folder / f"{training.epoch:02}", training.network, training.optimizer, trained.manifest)


def _move_epochs(trained: Trained) -> None:
    folder, count = trained.state.folder / "epochs", math.ceil(trained.manifest.recipe.epochs)
    expected = [f"{epoch:02}" for epoch in range(1, count + 1)]
    found = sorted(path.name for path in folder.glob("*"))
    if found != expected:
        trained.state.remove()  # or the next run goes on from it, and ends here again
        raise PipelineError(f"{folder}: expected the models of {count} epochs, found {found}; run it again")
    shutil.copytree(folder, paths.model(trained.manifest.model) / "epochs")


if __name__ == "__main__":
    with bootstrap.stage() as arguments:
        main(*arguments)

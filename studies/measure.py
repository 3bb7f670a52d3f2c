"""Measure the seconds of a study's trainings and test passes, in measured.json. Run it in the study's folder.

No two runs take the same, so no stage writes them: this notes them with the weights that they belong to and the commit,
and the stage that makes the study's table depends on that file.
"""

import sys
from functools import partial
from pathlib import Path
from timeit import repeat
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stages"))

import bootstrap

from mnist_pipeline.arithmetic import machine, runtime
from mnist_pipeline.commits import git
from mnist_pipeline.core import params, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, sha256_of, write_json
from mnist_pipeline.data import dataset
from mnist_pipeline.training import checkpoints, evaluation

MEASURED = Path("measured.json")
ROUNDS = 3


def main() -> None:
    """Bring measured.json up to date: models whose weights have not changed since they were measured keep their entry.

    Raises PipelineError when the code has changes that no commit names, or when a model was not trained here.
    """
    settings, measured = params.load(), read_json(MEASURED)["models"]
    stale = [model for model in settings.models if measured.get(model, {}).get("weights_sha256") != _weights(model)]
    if not stale:
        return
    if git.ask("status", "--porcelain", "--", "../../src", "../../stages", "../*.py", str(paths.PARAMS)):
        raise PipelineError("src, stages, studies or params.yaml have changes: commit them; the table names the commit")
    runtime.configure(settings.runtime)
    models = {model: _measure(model) if model in stale else measured[model] for model in settings.models}
    write_json(MEASURED, {"models": models})


def _weights(model: str) -> str:
    return sha256_of(paths.model(model) / checkpoints.WEIGHTS)


def _measure(model: str) -> dict[str, Any]:
    weights, timing = _weights(model), paths.timing(model)
    trained = read_json(timing) if timing.exists() else {}
    if trained.get("weights_sha256") != weights or trained.get("machine") != machine.describe():  # a node's, perhaps
        raise PipelineError(
            f"{timing}: says nothing of these weights, since they were not trained here; train them with: "
            f"dvc repro --force --single-item train@{model}"
        )
    network, manifest = checkpoints.load(paths.model(model))
    test = dataset.test_set()
    call = partial(evaluation.predict, network, test, test.all(), manifest.recipe.scaling)
    return {
        "weights_sha256": weights,
        "training_seconds": round(trained["training_seconds"], 3),
        "test_seconds": round(min(repeat(call, number=1, repeat=ROUNDS)), 4),
        "commit": git.ask("rev-parse", "HEAD"),
        "machine": machine.describe(),
    }


if __name__ == "__main__":
    with bootstrap.stage() as arguments:
        main(*arguments)

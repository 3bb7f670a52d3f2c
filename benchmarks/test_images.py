"""10,000 test images through each published network: the write-ups' way against ours."""

import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks import report, write_ups
from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import params, tables
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.recipes import Recipe
from mnist_pipeline.data import dataset
from mnist_pipeline.data.dataset import Dataset
from mnist_pipeline.training import evaluation, loop

STUDY = Path("studies/published/params.yaml")
NETWORKS = ("mlp_28", "mlp_128_64", "cnn_avgpool", "cnn_separable", "cnn_5x5")
ROUNDS, BATCH, FASTER = 3, 100, 5.0
TEXT = """Seconds from the files in memory to the number of right answers, on one thread: a DataLoader with the
write-up's PIL transform and batches of 100 in the default layout against `evaluation.predict`. The weights are fresh
ones, the same on both sides, since they do not decide the time. Medians of three rounds in turns."""


def run() -> str:
    settings = params.load(STUDY)
    runtime.configure(settings.runtime)
    test = dataset.test_set()
    rows = [_compare(name, settings.recipe(name), test) for name in NETWORKS]
    verdicts = [report.verdict(row["network"], row["times faster"], at_least=FASTER) for row in rows]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _compare(name: str, recipe: Recipe, test: Dataset) -> dict[str, Any]:
    ours = loop.start(recipe, 1, torch.device("cpu")).network
    theirs = write_ups.network(recipe)
    theirs.load_state_dict(ours.state_dict())
    slow, fast = [], []
    with write_ups.loader(recipe, train=False, batch=BATCH) as batches:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            right = write_ups.test(theirs, batches)
            slow.append(time.perf_counter() - began)
            began = time.perf_counter()
            errors = evaluation.predict(ours, test, test.all(), recipe.scaling).errors
            fast.append(time.perf_counter() - began)
            if abs(right + errors - len(test.labels)) > 2:  # other rounding may turn an image that is on the edge
                raise PipelineError(f"{name}: {right} right the one way, {len(test.labels) - errors} the other")
    return {
        "network": name,
        "the write-up's way, s": f"{median(slow):.2f}",
        "ours, s": f"{median(fast):.3f}",
        "times faster": round(median(slow) / median(fast), 1),
    }

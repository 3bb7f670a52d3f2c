"""10,000 test images through each trained network: the write-ups' way against ours."""

import time
from statistics import median
from typing import Any

import torch

from benchmarks import report, write_ups
from mnist_pipeline import checkpoints, dataset, evaluation, params, paths, runtime
from mnist_pipeline.dataset import Dataset

ROUNDS, BATCH, FASTER = 3, 100, 5.0
TEXT = """Seconds from the files in memory to the number of right answers: a DataLoader with a PIL transform and
batches of 100 in the default layout, as the write-ups do it, against `evaluation.predict`. Medians of three rounds in
turns."""


def run() -> str:
    settings = params.load()
    runtime.configure(settings.runtime)
    test = dataset.test_set()
    rows = [_compare(name, test) for name in settings.models]
    verdicts = [report.verdict(row["model"], row["times faster"], at_least=FASTER) for row in rows]
    return "\n\n".join([TEXT, report.table(rows), "\n".join(verdicts)])


def _compare(name: str, test: Dataset) -> dict[str, Any]:
    network, card = checkpoints.load(paths.model(name))
    published, _ = checkpoints.load(paths.model(name))
    published.to(memory_format=torch.contiguous_format)
    batches = write_ups.loader(card.recipe, train=False, batch=BATCH)
    theirs, ours = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        right = write_ups.test(published, batches)
        theirs.append(time.perf_counter() - began)
        began = time.perf_counter()
        predictions = evaluation.predict(network, test, test.all(), card.recipe.scaling)
        errors = predictions.errors
        ours.append(time.perf_counter() - began)
        assert abs(right + errors - len(test.labels)) <= 2, f"{name}: the two ways disagree on more than two images"  # noqa: S101
    return {
        "model": name,
        "the write-ups' way, s": f"{median(theirs):.2f}",
        "ours, s": f"{median(ours):.3f}",
        "times faster": round(median(theirs) / median(ours), 1),
    }

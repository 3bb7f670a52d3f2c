"""How close `fit()` comes to bare forward, backward and optimizer steps over batches that were prepared beforehand."""

import time
from itertools import cycle, islice
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import report
from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import params, tables
from mnist_pipeline.core.recipes import Recipe
from mnist_pipeline.data import dataset
from mnist_pipeline.data.dataset import Images
from mnist_pipeline.training import loop
from mnist_pipeline.training.augmentation import random_affine
from mnist_pipeline.training.loop import Training

BATCHES, ROUNDS, SIDE = 200, 3, 4096
CONVOLUTIONAL, MLP = 1.10, 1.35
TEXT = """200 batches of `fit()` without validation and logging against the same forward, backward and optimizer steps
over prepared batches; augmentation, where a recipe has it, on both sides. Medians of three rounds in turns, and with
them a float32 matrix product of 4096×4096. GFLOP/s are those of `fit()`: three times the products of the forward pass
(the backward pass has twice as many), over all of its seconds."""


def run() -> str:
    settings = params.load()
    runtime.configure(settings.runtime)
    data = dataset.training_set()
    images = (data, dataset.split(data.labels.numpy(), settings.split)[0])
    rows = [_compare(name, recipe, images) for name, recipe in settings.models.items()]
    verdicts = [
        report.verdict(row["model"], row["ratio"], at_most=MLP if row["model"].startswith("mlp") else CONVOLUTIONAL)
        for row in rows
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _compare(name: str, recipe: Recipe, images: Images) -> dict[str, Any]:
    _fit(recipe, images), _bare(recipe, images)
    turns = [(_fit(recipe, images), _bare(recipe, images), _matrix_product()) for _ in range(ROUNDS)]
    fitted, bare, peak = (median(turn[column] for turn in turns) for column in range(3))
    speed = _arithmetic(recipe, images) * BATCHES / fitted / 1e9
    return {
        "model": name,
        "fit(), s": f"{fitted:.3f}",
        "bare steps, s": f"{bare:.3f}",
        "ratio": round(median(turn[0] / turn[1] for turn in turns), 3),
        "GFLOP/s": f"{speed:.0f}",
        "matrix product, GFLOP/s": f"{peak:.0f}",
        "share": f"{speed / peak:.0%}",
    }


def _start(recipe: Recipe) -> Training:
    started = loop.start(recipe, 1, torch.device("cpu"))
    started.network.train()
    return started


def _fit(recipe: Recipe, images: Images) -> float:
    epochs = BATCHES * recipe.batch / len(images[1])
    started = _start(recipe.model_copy(update={"epochs": epochs, "log_every": BATCHES + 1}))
    return loop.fit(started, images, {}).seconds


def _bare(recipe: Recipe, images: Images) -> float:
    started, batches = _start(recipe), _prepared(recipe, images)
    began = time.perf_counter()
    for pixels, labels in islice(cycle(batches), BATCHES):
        if recipe.augmentation is not None:
            pixels = dataset.scale(random_affine(pixels, recipe.augmentation), recipe.scaling)
        started.optimizer.zero_grad()
        logits = started.network(pixels)
        functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing).backward()
        started.optimizer.step()
    return time.perf_counter() - began


def _prepared(recipe: Recipe, images: Images) -> list[tuple[Tensor, Tensor]]:
    """As many whole batches as an epoch has, at most 200: scaled, unless augmentation has to come before."""
    data, indices = images
    chosen = [data.batch(part) for part in indices.split(recipe.batch)[:BATCHES] if len(part) == recipe.batch]
    if recipe.augmentation is not None:
        return chosen
    return [(dataset.scale(pixels, recipe.scaling), labels) for pixels, labels in chosen]


def _arithmetic(recipe: Recipe, images: Images) -> int:
    """Floating-point operations of one batch: the backward pass has twice those of the forward pass."""
    started, (pixels, _) = _start(recipe), _prepared(recipe, images)[0]
    with FlopCounterMode(display=False) as counter:
        started.network(pixels.float())
    return 3 * int(counter.get_total_flops())


def _matrix_product() -> float:
    """GFLOP/s of a large float32 matrix product."""
    left, right = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    began = time.perf_counter()
    torch.mm(left, right)
    return 2 * SIDE**3 / (time.perf_counter() - began) / 1e9

"""The training loop: data, recipe and seed in, weights and history out."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from mnist_pipeline import dataset, evaluation, networks, optimizers, runtime
from mnist_pipeline.augmentation import random_affine
from mnist_pipeline.dataset import Dataset
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.history import Row
from mnist_pipeline.params import Recipe

Bar: TypeAlias = "tqdm[Any]"


@dataclass
class Training:
    """A network being trained: what one epoch hands to the next."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    history: list[Row] = field(default_factory=list)
    images_seen: int = 0
    seconds: float = 0.0


def start(recipe: Recipe, seed: int, device: torch.device) -> Training:
    """A fresh network, its weights drawn from the seed, and its optimizer."""
    runtime.seed(seed, epoch=0)
    network = networks.build(recipe.network, **recipe.options)
    network.to(device).to(memory_format=torch.channels_last)  # several times faster for convolutions on the CPU
    return Training(network, optimizers.build(network, recipe.optimizer))


def fit(data: Dataset, indices: tuple[Tensor, Tensor], recipe: Recipe, seed: int, device: torch.device) -> Training:
    """Train on `data` at the first index vector and validate on the second, which may be empty.

    Raises PipelineError with epoch, batch and learning rate when a loss is not finite.
    """
    training = start(recipe, seed, device)
    began = time.perf_counter()
    with tqdm(total=recipe.epochs * len(indices[0]), unit=" images", unit_scale=True, disable=None) as bar:
        for epoch in range(1, recipe.epochs + 1):
            runtime.seed(seed, epoch)
            run_epoch(training, data, indices[0], recipe, epoch, bar)
            validate(training, data, indices[1], recipe, bar)
    training.seconds = time.perf_counter() - began
    return training


def run_epoch(training: Training, data: Dataset, indices: Tensor, recipe: Recipe, epoch: int, bar: Bar) -> None:
    """Every image once, in a new order; adds the epoch's rows to the history."""
    training.network.train()
    total_loss, hits = 0.0, 0
    for number, (loss, correct, size) in enumerate(steps(training, data, indices, recipe, epoch), start=1):
        total_loss, hits = total_loss + loss * size, hits + correct
        training.images_seen += size
        bar.update(size)
        if number % recipe.log_every == 0:
            row = {"images_seen": training.images_seen, "epoch": epoch}
            training.history.append(row | {"batch_loss": loss, "batch_accuracy": correct / size})
            bar.set_postfix(loss=f"{loss:.4f}", validation=_last_accuracy(training), refresh=False)
    mean = {"training_loss": total_loss / len(indices), "training_accuracy": hits / len(indices)}
    training.history.append({"images_seen": training.images_seen, "epoch": epoch, **mean})


def steps(
    training: Training, data: Dataset, indices: Tensor, recipe: Recipe, epoch: int
) -> Iterator[tuple[float, int, int]]:
    """Train batch by batch; after each, its mean loss, how many images it had right, and its size."""
    device = next(training.network.parameters()).device
    batches = math.ceil(len(indices) / recipe.batch)
    for number, chosen in enumerate(dataset.shuffled(indices, recipe.batch)):
        progress = (epoch - 1 + number / batches) / recipe.epochs
        rate = recipe.optimizer.learning_rate * optimizers.factor(recipe.schedule, progress)
        for group in training.optimizer.param_groups:
            group["lr"] = rate
        images, labels = data.batch(chosen)
        loss, correct = step(training, images.to(device), labels.to(device), recipe)
        _check_finite(loss, recipe, training, f"epoch {epoch}, batch {number + 1}")
        yield loss, correct, len(chosen)


def _check_finite(loss: float, recipe: Recipe, training: Training, when: str) -> None:
    if not math.isfinite(loss):
        raise PipelineError(
            f"training {recipe.network}: the loss became {loss} in {when}, at learning rate "
            f"{training.optimizer.param_groups[0]['lr']:.3g}; no model was written; lower optimizer.learning_rate in "
            "params.yaml"
        )


def step(training: Training, images: Tensor, labels: Tensor, recipe: Recipe) -> tuple[float, int]:
    """One batch of unscaled images forward, backward and into the weights; its mean loss and how many were right."""
    if recipe.augmentation is not None:
        images = random_affine(images, recipe.augmentation)
    logits = training.network(dataset.scale(images, recipe.scaling))
    loss = functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
    training.optimizer.zero_grad()
    loss.backward()
    training.optimizer.step()
    return loss.item(), int((logits.argmax(dim=1) == labels).sum())


def validate(training: Training, data: Dataset, indices: Tensor, recipe: Recipe, bar: Bar) -> None:
    """Add loss and accuracy on the validation images, if there are any, to the epoch's row."""
    if len(indices):
        scored = evaluation.predict(training.network, data, indices, recipe.scaling)
        _check_finite(scored.loss, recipe, training, f"validation after epoch {training.history[-1]['epoch']}")
        training.history[-1] |= {"validation_loss": scored.loss, "validation_accuracy": scored.accuracy}
        bar.set_postfix(loss=f"{training.history[-1]['training_loss']:.4f}", validation=_last_accuracy(training))


def _last_accuracy(training: Training) -> str:
    known = [row["validation_accuracy"] for row in training.history if "validation_accuracy" in row]
    return f"{known[-1]:.2%}" if known else "–"

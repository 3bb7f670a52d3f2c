"""The training loop: data, recipe and seed in, weights and history out. An epoch depends on the one before alone."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from mnist_pipeline import networks
from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Arithmetic
from mnist_pipeline.core.recipes import Recipe
from mnist_pipeline.data import dataset
from mnist_pipeline.data.dataset import Images
from mnist_pipeline.exact import draws, elementary, layers
from mnist_pipeline.training import evaluation, optimizers
from mnist_pipeline.training.augmentation import random_affine
from mnist_pipeline.training.history import Row


@dataclass
class Training:
    """A network being trained: what one epoch hands to the next."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    recipe: Recipe
    seed: int
    epoch: int = 0
    images_seen: int = 0
    history: list[Row] = field(default_factory=list)
    seconds: float = 0.0  # of all epochs
    scoring_seconds: float = 0.0  # of those, scoring


def start(
    recipe: Recipe, seed: int, device: torch.device, arithmetic: Arithmetic = "native", outputs: int = 10
) -> Training:
    """A fresh network, its weights drawn from the seed, and its optimizer; PipelineError for what has no exact form."""
    runtime.seed(seed, epoch=0)
    network = networks.build(recipe.network, outputs, **recipe.options)
    if arithmetic == "exact":
        if recipe.augmentation is not None:
            raise PipelineError("runtime.arithmetic: exact: augmentation has no exact form; leave it out of the recipe")
        draws.initialise(layers.convert(network), seed)
    network.to(device).to(memory_format=torch.channels_last)  # several times faster for convolutions on the CPU
    return Training(network, optimizers.build(network, recipe.optimizer), recipe, seed)


def fit(
    training: Training,
    images: Images,
    scored: Mapping[str, Images],
    after_epoch: Callable[[Training], None] = lambda _: None,
) -> Training:
    """Train on `images` to the recipe's last epoch, from where it stands; PipelineError for a loss that is not finite.

    After every epoch each of `scored` gives columns `<name>_loss` and `<name>_accuracy`, and `after_epoch` is called.
    """
    recipe, count = training.recipe, len(images[1])
    total = round(recipe.epochs * count)
    with tqdm(total=total, initial=training.images_seen, unit=" images", unit_scale=True, disable=None) as bar:
        for epoch in range(training.epoch + 1, math.ceil(recipe.epochs) + 1):
            began = time.perf_counter()
            runtime.seed(training.seed, epoch)
            run_epoch(training, images, epoch, bar)
            trained = time.perf_counter()
            for name, others in scored.items():
                predictions = evaluation.predict(training.network, *others, recipe.scaling)
                loss, accuracy = predictions.loss, predictions.accuracy
                _check_finite(loss, training, f"{name} after epoch {epoch}")
                training.history[-1] |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
                bar.set_description(f"{name} accuracy {accuracy:.2%}")
            training.epoch = epoch
            training.scoring_seconds += time.perf_counter() - trained
            training.seconds += time.perf_counter() - began
            after_epoch(training)
    return training


def run_epoch(training: Training, images: Images, epoch: int, bar: "tqdm[Any]") -> None:
    """Every image once, in a new order (of a last epoch its part); adds the epoch's rows to the history."""
    training.network.train()
    total_loss, hits, seen = 0.0, 0, 0
    for number, (loss, correct, size) in enumerate(steps(training, images, epoch), start=1):
        total_loss, hits, seen = total_loss + loss * size, hits + correct, seen + size
        training.images_seen += size
        bar.update(size)
        if number % training.recipe.log_every == 0:
            row = {"images_seen": training.images_seen, "epoch": epoch}
            training.history.append(row | {"batch_loss": loss, "batch_accuracy": correct / size})
            bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
    mean = {"training_loss": total_loss / seen, "training_accuracy": hits / seen}
    training.history.append({"images_seen": training.images_seen, "epoch": epoch, **mean})


def steps(training: Training, images: Images, epoch: int) -> Iterator[tuple[float, int, int]]:
    """Train batch by batch; after each, its mean loss, how many images it had right, and its size."""
    recipe, (data, indices) = training.recipe, images
    device = next(training.network.parameters()).device
    batches = math.ceil(len(indices) / recipe.batch)
    count = max(1, round(len(indices) * min(1.0, recipe.epochs - (epoch - 1))))
    order = draws.permutation(len(indices), training.seed, epoch) if layers.is_exact(training.network) else None
    for number, chosen in enumerate(dataset.shuffled(indices, recipe.batch, count, order)):
        progress = (epoch - 1 + number / batches) / recipe.epochs
        optimizers.set_rates(training.optimizer, recipe.optimizer, optimizers.factor(recipe.schedule, progress))
        pixels, labels = data.batch(chosen)
        augmented = recipe.augmentation is not None and progress < recipe.augmentation.until
        loss, correct = step(training, pixels.to(device), labels.to(device), augmented)
        _check_finite(loss, training, f"epoch {epoch}, batch {number + 1}")
        yield loss, correct, len(chosen)


def _check_finite(loss: float, training: Training, when: str) -> None:
    if not math.isfinite(loss):
        rate = training.optimizer.param_groups[-1]["lr"]  # of Muon's two its own
        said = f"the loss became {loss} in {when}, at learning rate {rate:.3g}; no model was written"
        raise PipelineError(f"training {training.recipe.network}: {said}; lower optimizer.learning_rate in params.yaml")


def step(training: Training, images: Tensor, labels: Tensor, augmented: bool = True) -> tuple[float, int]:
    """One batch of unscaled images forward, backward and into the weights; its mean loss and how many were right.

    `augmented`: False leaves the images as they are, whatever the recipe says.
    """
    recipe = training.recipe
    if augmented and recipe.augmentation is not None:
        images = random_affine(images, recipe.augmentation)
    logits = training.network(dataset.scale(images, recipe.scaling))
    training.optimizer.zero_grad()
    if layers.is_exact(training.network):
        loss, gradient = elementary.cross_entropy(logits, labels, recipe.label_smoothing, len(labels))
        logits.backward(gradient)
    else:
        mean = functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        mean.backward()
        loss = mean.item()
    training.optimizer.step()
    return loss, int((logits.argmax(dim=1) == labels).sum())

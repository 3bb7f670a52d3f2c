"""How the write-ups do it: torchvision's data set, a PIL transform an image, a DataLoader, the default layout."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from mnist_pipeline import networks
from mnist_pipeline.core import paths
from mnist_pipeline.core.recipes import AdamW, Recipe

NAMES = {
    "train-images-idx3-ubyte": paths.TRAINING_IMAGES,
    "train-labels-idx1-ubyte": paths.TRAINING_LABELS,
    "t10k-images-idx3-ubyte": paths.TEST_IMAGES,
    "t10k-labels-idx1-ubyte": paths.TEST_LABELS,
}


@contextmanager
def loader(recipe: Recipe, *, train: bool, batch: int) -> Iterator[DataLoader[Any]]:
    """Batches of all training images in random order, or of the test images in theirs."""
    steps: list[Any] = [transforms.ToTensor()]
    if (recipe.scaling.mean, recipe.scaling.std) != (0.0, 1.0):
        steps.append(transforms.Normalize((recipe.scaling.mean,), (recipe.scaling.std,)))
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name, place in NAMES.items():
            (raw / name).symlink_to(place.resolve())
        yield DataLoader(MNIST(folder, train=train, transform=transforms.Compose(steps)), batch, shuffle=train)


def network(recipe: Recipe) -> nn.Module:
    torch.manual_seed(1)
    return networks.build(recipe.network, **recipe.options)


def train(recipe: Recipe, slices: int) -> Iterator[float]:
    """One epoch in so many slices; yields the seconds that each took."""
    model, spec = network(recipe), recipe.optimizer
    optimizer: torch.optim.Optimizer
    if isinstance(spec, AdamW):
        optimizer = torch.optim.Adam(model.parameters(), lr=spec.learning_rate)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=spec.learning_rate, momentum=spec.momentum)
    criterion, running = nn.CrossEntropyLoss(), 0.0
    with loader(recipe, train=True, batch=recipe.batch) as batches:
        ends = {len(batches) * number // slices for number in range(1, slices + 1)}
        began = time.perf_counter()
        for number, (images, labels) in enumerate(batches, start=1):
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
            if number in ends:
                yield time.perf_counter() - began
                began = time.perf_counter()


def test(model: nn.Module, batches: DataLoader[Any]) -> int:
    """How many of the test images the network has right."""
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in batches:
            right += int((model(images).argmax(dim=1) == labels).sum())
    return right

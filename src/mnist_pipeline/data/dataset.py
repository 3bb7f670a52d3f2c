"""Images and labels as tensors over the memory map, so that they may be larger than memory; a split is an index."""

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.core.params import DIGITS, Split
from mnist_pipeline.core.recipes import Scaling
from mnist_pipeline.data import idx

Images: TypeAlias = "tuple[Dataset, Tensor]"  # a data set, and the index vector of those images that are meant


@dataclass(frozen=True)
class Dataset:
    """`pixels`: uint8 (n, 28, 28), 0 background to 255 ink; `labels`: uint8 (n,), places in `classes()`."""

    pixels: Tensor
    labels: Tensor

    def all(self) -> Tensor:
        """Index vector of all images."""
        return torch.arange(len(self.labels))

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Unscaled uint8 images (n, 1, 28, 28) of 0–255 and int64 labels (n,) at these indices."""
        pixels = self.pixels.index_select(0, indices)  # copies rows: 15 times faster than [indices], which copies bytes
        return pixels.unsqueeze(1), self.labels.index_select(0, indices).long()


def training_set() -> Dataset:
    """The training files in `data/idx`, training and validation images together."""
    return load(paths.TRAINING_IMAGES, paths.TRAINING_LABELS)


def test_set() -> Dataset:
    """The test files in `data/idx`."""
    return load(paths.TEST_IMAGES, paths.TEST_LABELS)


def classes() -> list[str]:
    """What the labels 0, 1, … in `data/idx` are called."""
    return list(read_json(paths.CLASSES)) if paths.CLASSES.exists() else DIGITS


def load(images: Path, labels: Path) -> Dataset:
    """Both files memory-mapped. Raises PipelineError when one is missing or damaged."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nor is it ever written
        return Dataset(torch.from_numpy(idx.read(images)), torch.from_numpy(idx.read(labels)))


def scale(images: Tensor, scaling: Scaling) -> Tensor:
    """(pixel / 255 - mean) / std of uint8 or float pixels, as floats, in one multiplication and one addition."""
    return images.mul(1 / (255 * scaling.std)).sub_(scaling.mean / scaling.std)


def split(labels: npt.NDArray[np.uint8], spec: Split) -> tuple[Tensor, Tensor]:
    """Index vectors (int64, ascending) of training and validation images; PipelineError if none is left for training.

    Stratified, by labels and `spec` alone: of each class its share of `spec.validation`, rounded by largest remainders.
    """
    wanted, count = spec.validation, len(labels)
    if wanted >= count:
        raise PipelineError(f"params.yaml: split.validation: found {wanted}, but there are {count} images")
    shares = np.bincount(labels) * wanted / count
    quotas = shares.astype(np.int64)
    largest_remainders = np.argsort(quotas - shares, kind="stable")
    quotas[largest_remainders[: wanted - quotas.sum()]] += 1
    generator, chosen = np.random.default_rng(spec.seed), np.zeros(count, dtype=bool)
    for digit, quota in enumerate(quotas):
        chosen[generator.permutation(np.flatnonzero(labels == digit))[:quota]] = True
    return torch.from_numpy(np.flatnonzero(~chosen)), torch.from_numpy(np.flatnonzero(chosen))


def shuffled(indices: Tensor, batch: int, count: int, order: Tensor | None = None) -> Iterator[Tensor]:
    """The first `count` indices in batches, the last maybe smaller; without an `order` in one of torch's generator."""
    order = torch.randperm(len(indices)) if order is None else order
    return iter(indices[order[:count]].split(batch))


def digest(indices: Tensor) -> str:
    """SHA-256 of an index vector as little-endian 64-bit integers: which images, without listing them."""
    return hashlib.sha256(indices.numpy().astype("<i8").tobytes()).hexdigest()

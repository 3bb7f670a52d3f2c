"""Images and labels as one tensor over the memory map; a split is an index vector; a batch is indexed, then scaled.

Nothing here copies the data set: it may be larger than memory.
"""

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
from mnist_pipeline.core.params import Scaling, Split
from mnist_pipeline.data import idx

Images: TypeAlias = "tuple[Dataset, Tensor]"  # a data set, and the index vector of those images that are meant


@dataclass(frozen=True)
class Dataset:
    """`pixels`: uint8 (n, 28, 28), 0 background to 255 ink; `labels`: uint8 (n,), 0–9."""

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


def load(images: Path, labels: Path) -> Dataset:
    """Both files memory-mapped. Raises PipelineError when one is missing or damaged."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nor is it ever written
        return Dataset(torch.from_numpy(idx.read(images)), torch.from_numpy(idx.read(labels)))


def scale(images: Tensor, scaling: Scaling) -> Tensor:
    """(pixel / 255 - mean) / std of uint8 or float pixels, as floats, in one multiplication and one addition."""
    return images.mul(1 / (255 * scaling.std)).sub_(scaling.mean / scaling.std)


def split(labels: npt.NDArray[np.uint8], spec: Split) -> tuple[Tensor, Tensor]:
    """Index vectors (int64, ascending) of the training and the validation images.

    Stratified: each class gives its share of `spec.validation`, rounded by largest remainders; depends on labels
    and `spec` alone. Raises PipelineError when no training image would be left.
    """
    if spec.validation >= len(labels):
        raise PipelineError(
            f"params.yaml: split.validation: found {spec.validation}, but there are {len(labels)} images"
        )
    shares = np.bincount(labels) * spec.validation / len(labels)
    quotas = shares.astype(np.int64)
    largest_remainders = np.argsort(quotas - shares, kind="stable")
    quotas[largest_remainders[: spec.validation - quotas.sum()]] += 1
    generator, chosen = np.random.default_rng(spec.seed), np.zeros(len(labels), dtype=bool)
    for digit, quota in enumerate(quotas):
        chosen[generator.permutation(np.flatnonzero(labels == digit))[:quota]] = True
    return torch.from_numpy(np.flatnonzero(~chosen)), torch.from_numpy(np.flatnonzero(chosen))


def shuffled(indices: Tensor, batch: int, count: int, order: Tensor | None = None) -> Iterator[Tensor]:
    """The first `count` indices in batches, of which the last may be smaller; the order is from torch's generator."""
    order = torch.randperm(len(indices)) if order is None else order
    return iter(indices[order[:count]].split(batch))


def digest(indices: Tensor) -> str:
    """SHA-256 of an index vector as little-endian 64-bit integers: which images, without listing them."""
    return hashlib.sha256(indices.numpy().astype("<i8").tobytes()).hexdigest()

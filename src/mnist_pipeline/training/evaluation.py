"""What a network says about images, and metrics of that; only the logits of all images are held at once."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_pipeline.core.recipes import Scaling
from mnist_pipeline.data.dataset import Dataset, scale
from mnist_pipeline.exact import elementary, layers

BATCH = 50  # small enough for the processor's cache; fixed, since another can give other bits
ROWS = 1 << 16  # how many images' logits are looked at together; fixed, since sums of parts depend on it
BINS = 15  # as in Guo et al., "On Calibration of Modern Neural Networks" (arXiv 1706.04599)
Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Predictions:
    """Logits, float32 (n, classes), labels, int64 (n,), on the CPU; figures of `exact` ones are the same everywhere."""

    logits: Tensor
    labels: Tensor
    exact: bool = False

    def probabilities(self, rows: Tensor | slice) -> Tensor:
        """Probabilities of the images at `rows`, float64 (len(rows), classes); `exact`: few bits, so exact sums."""
        logits = self.logits[rows]
        return elementary.softmax(logits)[0].float().double() if self.exact else logits.double().softmax(dim=1)

    def parts(self) -> Iterator[slice]:
        """All images, so many rows at a time."""
        return (slice(first, first + ROWS) for first in range(0, len(self.labels), ROWS))

    @property
    def classes(self) -> Tensor:
        return self.logits.argmax(dim=1)

    @property
    def errors(self) -> int:
        return int((self.classes != self.labels).sum())

    @property
    def accuracy(self) -> float:
        return 1 - self.errors / len(self.labels)

    @property
    def loss(self) -> float:
        """Cross-entropy, in nats, as the mean over images (not over batches)."""
        if self.exact:
            return elementary.cross_entropy(self.logits, self.labels, 0.0, len(self.labels))[0]
        parts = ((self.logits[rows].double(), self.labels[rows]) for rows in self.parts())
        return float(sum(functional.cross_entropy(*part, reduction="sum") for part in parts)) / len(self.labels)


@torch.inference_mode()
def predict(network: nn.Module, data: Dataset, indices: Tensor, scaling: Scaling) -> Predictions:
    """Predictions for the images at `indices`, on the device that holds the network, which is left in eval mode."""
    network.eval()
    device = next(network.parameters()).device
    logits, labels = torch.empty(len(indices), 0), torch.empty(len(indices), dtype=torch.int64)
    for first in range(0, len(indices), BATCH):
        rows = slice(first, first + BATCH)
        images, labels[rows] = data.batch(indices[rows])
        said = network(scale(images.to(device), scaling)).cpu()
        logits = logits if first else torch.empty(len(indices), said.shape[1])
        logits[rows] = said
    return Predictions(logits, labels, layers.is_exact(network))


def wilson(errors: int, images: int) -> tuple[float, float]:
    """The two ends of the 95 % interval for accuracy, after Wilson, "Probable Inference", 1927."""
    accuracy = 1 - errors / images
    half = Z95 / (2 * images)  # squared by a product, since each C library has a power of its own
    spread = Z95 * math.sqrt(accuracy * (1 - accuracy) / images + half * half)
    centre, shrink = accuracy + Z95 * Z95 / (2 * images), 1 + Z95 * Z95 / images
    return max(0.0, (centre - spread) / shrink), min(1.0, (centre + spread) / shrink)


def calibration_error(predictions: Predictions) -> float:
    """Expected calibration error, 0–1: mean gap between confidence and accuracy over 15 bins of equal width."""
    gaps = torch.zeros(BINS, dtype=torch.float64)
    for rows in predictions.parts():
        confidence, classes = predictions.probabilities(rows).max(dim=1)
        hits = (classes == predictions.labels[rows]).double()
        bins = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
        gaps.index_add_(0, bins, confidence - hits)
    return float(gaps.abs().sum() / len(predictions.labels))


def metrics(test: Predictions, last: Mapping[str, float], parameters: int) -> dict[str, float]:
    """The figures of one model, for its JSON file; those of validation images are in the `last` row of its history."""
    low, high = wilson(test.errors, len(test.labels))
    return {
        "test_accuracy": test.accuracy,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_errors": test.errors,
        "test_loss": test.loss,
        "calibration_error": calibration_error(test),
        "parameters": parameters,
        **{name: last[name] for name in ("validation_accuracy", "validation_loss") if name in last},
    }

"""What a network says about images, and metrics of that: exact over all images, with an interval."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_pipeline.dataset import Dataset, scale
from mnist_pipeline.params import Scaling

BATCH = 250  # fixed: another batch size can give other bits
BINS = 15  # as in Guo et al., "On Calibration of Modern Neural Networks" (arXiv 1706.04599)
Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Predictions:
    """Logits as float64 (n, 10) and labels as int64 (n,), on the CPU, in the order of the images."""

    logits: Tensor
    labels: Tensor

    @property
    def probabilities(self) -> Tensor:
        return self.logits.softmax(dim=1)

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
        return float(functional.cross_entropy(self.logits, self.labels))


@torch.inference_mode()
def predict(network: nn.Module, data: Dataset, indices: Tensor, scaling: Scaling) -> Predictions:
    """Predictions for the images at `indices`, on the device that holds the network, which is left in eval mode."""
    network.eval()
    device = next(network.parameters()).device
    parts, labels = [], []
    for chosen in indices.split(BATCH):
        images, digits = data.batch(chosen)
        parts.append(network(scale(images.to(device), scaling)).cpu())
        labels.append(digits)
    return Predictions(torch.cat(parts).double(), torch.cat(labels))


def wilson(errors: int, images: int) -> tuple[float, float]:
    """The two ends of the 95 % interval for accuracy.

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    accuracy = 1 - errors / images
    spread = Z95 * math.sqrt(accuracy * (1 - accuracy) / images + (Z95 / (2 * images)) ** 2)
    centre, shrink = accuracy + Z95**2 / (2 * images), 1 + Z95**2 / images
    return max(0.0, (centre - spread) / shrink), min(1.0, (centre + spread) / shrink)


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Expected calibration error, 0–1: mean gap between confidence and accuracy over 15 bins of equal width."""
    confidence, classes = probabilities.max(dim=1)
    hits = (classes == labels).double()
    bins = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, confidence - hits)
    return float(gaps.abs().sum() / len(labels))


def metrics(test: Predictions, validation: Predictions | None, parameters: int) -> dict[str, float | int]:
    """The figures of one model, for its JSON file; without validation images their two are left out."""
    low, high = wilson(test.errors, len(test.labels))
    figures: dict[str, float | int] = {
        "test_accuracy": test.accuracy,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_errors": test.errors,
        "test_loss": test.loss,
        "calibration_error": calibration_error(test.probabilities, test.labels),
        "parameters": parameters,
    }
    if validation is not None:
        figures |= {"validation_accuracy": validation.accuracy, "validation_loss": validation.loss}
    return figures

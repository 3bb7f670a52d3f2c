"""A few steps of a training in exact arithmetic, on numbers that no library draws, and the digest of where it ends."""

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_pipeline.training import checkpoints, loop
from mnist_pipeline.training.loop import Training
from tests import synthetic

STEPS, BATCH = 3, 64
NETWORKS: dict[str, dict[str, Any]] = {"mlp_28": {}, "mlp_128_64": {}, "cnn_avgpool": {}, "convnet": {"width": 16}}
DIGESTS = {  # the first 16 digits of a SHA-256, as every machine has to find it; see docs/exact.md
    "mlp_28": "881231a1b56a37c6",
    "mlp_128_64": "758a9dc547b4c311",
    "cnn_avgpool": "710c5768419682e7",
    "convnet": "c81ea042dac56aa3",
}


def start(network: str, **changes: Any) -> Training:
    """A fresh training of one of the networks."""
    options = {"network": network, "options": NETWORKS[network], "label_smoothing": 0.1, **changes}
    return loop.start(synthetic.checked_recipe(**options), seed=1, device=torch.device("cpu"), arithmetic="exact")


def batches() -> list[tuple[Tensor, Tensor]]:
    """Images (64, 1, 28, 28) of 0–255, a bright row for each digit in noise, and labels (64,)."""
    raw = np.random.PCG64(np.random.SeedSequence(2)).random_raw(STEPS * BATCH * 785) % 256
    table = torch.from_numpy(raw.astype(np.uint8)).reshape(STEPS, BATCH, 785)
    labels = table[:, :, 784].long() % 10
    images = (table[:, :, :784] // 4).reshape(STEPS, BATCH, 28, 28)
    images[torch.arange(STEPS)[:, None], torch.arange(BATCH), 2 * labels + 4] += 150
    return list(zip(images[:, :, None], labels, strict=True))


def digest(training: Training) -> str:
    """Of all weights, buffers and the optimizer's tensors."""
    tensors = checkpoints.network_tensors(training.network) | checkpoints.optimizer_tensors(training.optimizer)
    content = b"".join(name.encode() + tensors[name].numpy().tobytes() for name in sorted(tensors))
    return hashlib.sha256(content).hexdigest()[:16]

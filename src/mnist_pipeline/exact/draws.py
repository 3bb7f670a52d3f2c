"""Random numbers from a stream that numpy promises for ever: raw bits of PCG64."""

import math

import numpy as np
import torch
from torch import Tensor, nn


def permutation(count: int, seed: int, epoch: int) -> Tensor:
    """An order of so many images: int64 (count,)."""
    return torch.from_numpy(np.argsort(_source(seed, epoch).random_raw(count), kind="stable"))


@torch.no_grad()
def initialise(network: nn.Module, seed: int) -> None:
    """Weights and biases of linear layers and convolutions as torch draws them: uniform within ±1 / √inputs."""
    source = _source(seed, epoch=0)
    for layer in (module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)):
        for parameter in layer.parameters(recurse=False):  # 24 bits each
            drawn = torch.from_numpy((source.random_raw(parameter.numel()) >> np.uint64(40)).astype(np.float32))
            uniform = drawn.mul_(2**-23).sub_(1).mul_(1 / math.sqrt(layer.weight[0].numel()))
            parameter.copy_(uniform.reshape(parameter.shape))


def _source(seed: int, epoch: int) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence([seed, epoch]))

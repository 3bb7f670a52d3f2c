"""Muon, by Keller Jordan (https://kellerjordan.github.io/posts/muon/, 2024), for the kernels of convolutions.

A kernel's momentum, as a matrix with a row for each output channel, is replaced by about the nearest matrix whose rows
(or columns, if they are fewer) are orthonormal: each direction is taken equally far. All in float32, by operators
that portable arithmetic has proven; torch's own Muon computes in bfloat16 and takes no kernels.
"""

import math

import torch
from torch import Tensor, nn

from mnist_pipeline.core import recipes
from mnist_pipeline.core.errors import PipelineError

A, B, C = 3.4445, -4.7750, 2.0315  # Jordan's: small singular values rise fast, and end near 1 instead of at it
ITERATIONS = 3
TINY = 1e-7  # lest a gradient of zeros be divided by its norm


class Muon(torch.optim.AdamW):
    """Groups of weights: the first is AdamW's, the second has kernels of shape (out, in, height, width)."""

    @torch.no_grad()
    def step(self, _: None = None) -> None:  # type: ignore[override]
        """One step along the gradients; those of the kernels are dropped, so that AdamW passes these over."""
        group = self.param_groups[1]
        for kernel in group["params"]:
            state = self.state[kernel]
            if not state:  # with AdamW's count of steps, which it expects in whatever it restores
                state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(kernel)}
            momentum = state["momentum"]
            momentum.mul_(group["momentum"]).add_(kernel.grad)
            direction = orthogonal(kernel.grad.add(momentum, alpha=group["momentum"]).flatten(1))  # Nesterov's
            length = math.sqrt(max(1.0, direction.shape[0] / direction.shape[1]))
            kernel.mul_(1 - group["lr"] * group["weight_decay"])
            kernel.sub_(direction.reshape(kernel.shape), alpha=group["lr"] * length)
            kernel.grad = None
        super().step()


def build(network: nn.Module, spec: recipes.Muon) -> Muon:
    """Muon over the convolutions with several input channels, AdamW over the rest; PipelineError if either is nothing.

    A kernel of one channel is left to AdamW: it has no more rows than patches of the picture have directions.
    """
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d) and part.weight.shape[1] > 1]
    kernels = [part.weight for part in convolutions]
    rest = [weight for weight in network.parameters() if not any(weight is kernel for kernel in kernels)]
    if not kernels or not rest:
        raise PipelineError("optimizer muon: expected convolutions with several input channels, and other weights too")
    betas = (spec.others.betas[0], spec.others.betas[1])
    optimizer = Muon(rest, lr=spec.others.learning_rate, betas=betas, weight_decay=0.0, fused=True)
    own = {"lr": spec.learning_rate, "momentum": spec.momentum, "weight_decay": spec.weight_decay}
    optimizer.add_param_group({"params": kernels, **own})
    return optimizer


def orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest matrix with orthonormal rows, or columns if they are fewer.

    Newton and Schulz's iteration with a polynomial of fifth degree, begun at a matrix of Frobenius norm 1.
    """
    high = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if high else matrix
    x = x / ((x * x).sum().sqrt() + TINY)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = A * x + (B * square + C * square @ square) @ x
    return x.T if high else x

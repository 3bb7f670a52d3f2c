"""AdamW in exact arithmetic: torch's formula, one operation of IEEE 754 after another."""

from collections.abc import Iterable

import torch
from torch import Tensor

from mnist_pipeline.exact.elementary import root

MOMENTS = "exp_avg", "exp_avg_sq"  # as torch calls them


class AdamW(torch.optim.Optimizer):
    """Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (arXiv 1711.05101)."""

    def __init__(self, weights: Iterable[Tensor], lr: float, betas: list[float], weight_decay: float) -> None:
        super().__init__(weights, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "powers": [1.0, 1.0]})

    @torch.no_grad()
    def step(self, _: None = None) -> None:  # type: ignore[override]
        """One step with the gradients that are there."""
        for group in self.param_groups:  # powers by multiplication: each C library has a `pow` of its own
            group["powers"] = [power * beta for power, beta in zip(group["powers"], group["betas"], strict=True)]
            (of_mean, of_square), lr = (1 / (1 - power) for power in group["powers"]), group["lr"]
            for weight, gradient in ((weight, weight.grad) for weight in group["params"]):
                first, second = (self.state[weight].setdefault(name, torch.zeros_like(weight)) for name in MOMENTS)
                first.mul_(group["betas"][0]).add_(gradient * (1 - group["betas"][0]))
                second.mul_(group["betas"][1]).add_((gradient * gradient).mul_(1 - group["betas"][1]))
                step = torch.div(first, root(second * of_square).add_(1e-8)).mul_(lr * of_mean)
                weight.mul_(1 - lr * group["weight_decay"]).sub_(step)

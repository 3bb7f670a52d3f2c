"""Optimizers and learning-rate schedules by name."""

from functools import cache
from inspect import unwrap
from typing import Any

import torch
from torch import nn

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.recipes import SGD, AdamW, Constant, Muon, OneCycle, Optimizer
from mnist_pipeline.exact import adamw, layers
from mnist_pipeline.training import muon


def build(network: nn.Module, spec: Optimizer) -> torch.optim.Optimizer:
    """The optimizer of `spec` over all weights, exact if the network is.

    Raises PipelineError if it has no exact form, or if the network has no weights for one of its groups.
    """
    _without_compiler()
    if layers.is_exact(network):
        if not isinstance(spec, AdamW):
            raise PipelineError(
                f"runtime.arithmetic: exact: the optimizer {spec.name} has no exact form; there is adamw"
            )
        return adamw.AdamW(network.parameters(), spec.learning_rate, spec.betas, spec.weight_decay)
    if isinstance(spec, Muon):
        return muon.build(network, spec)
    common: dict[str, Any] = {"lr": spec.learning_rate, "weight_decay": spec.weight_decay, "fused": True}
    if isinstance(spec, SGD):
        return torch.optim.SGD(network.parameters(), momentum=spec.momentum, nesterov=spec.nesterov, **common)
    return torch.optim.AdamW(network.parameters(), betas=(spec.betas[0], spec.betas[1]), **common)


@cache
def _without_compiler() -> None:
    """Keep torch's optimizers from importing torch.compile, 1.3 s, to tell it what it has to pass over."""
    base = torch.optim.Optimizer
    for method in (base.add_param_group, base.load_state_dict, base.state_dict, base.zero_grad):
        function = unwrap(method)
        setattr(function, "__dynamo_disable", function)
    for kind in (torch.optim.Adam, torch.optim.SGD):  # AdamW's step is Adam's
        kind.step = torch.no_grad()(unwrap(kind.step))  # type: ignore[method-assign]


def set_rates(optimizer: torch.optim.Optimizer, spec: Optimizer, factor: float) -> None:
    """Set each group's learning rate to this factor of its own."""
    rates = [spec.others.learning_rate, spec.learning_rate] if isinstance(spec, Muon) else [spec.learning_rate]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor


def factor(schedule: Constant | OneCycle, progress: float) -> float:
    """Factor (0–1) on the learning rate at `progress` (0–1) of all batches; a triangle by Smith, arXiv 1708.07120."""
    if isinstance(schedule, Constant):
        return 1.0
    if progress < schedule.warmup:
        return schedule.start + (1 - schedule.start) * progress / schedule.warmup
    return 1 + (schedule.end - 1) * (progress - schedule.warmup) / (1 - schedule.warmup)

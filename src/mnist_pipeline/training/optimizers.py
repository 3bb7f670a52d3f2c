"""Optimizers and learning-rate schedules by name."""

from typing import Any

import torch
from torch import nn

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import SGD, AdamW, Constant, OneCycle
from mnist_pipeline.exact import adamw, layers


def build(network: nn.Module, spec: AdamW | SGD) -> torch.optim.Optimizer:
    """The optimizer of `spec` over all weights, exact if the network is; PipelineError if it has no exact form."""
    if layers.is_exact(network):
        if isinstance(spec, SGD):
            raise PipelineError("runtime.arithmetic: exact: the optimizer sgd has no exact form; there is adamw")
        return adamw.AdamW(network.parameters(), spec.learning_rate, spec.betas, spec.weight_decay)
    common: dict[str, Any] = {"lr": spec.learning_rate, "weight_decay": spec.weight_decay, "fused": True}
    if isinstance(spec, SGD):
        return torch.optim.SGD(network.parameters(), momentum=spec.momentum, nesterov=spec.nesterov, **common)
    return torch.optim.AdamW(network.parameters(), betas=(spec.betas[0], spec.betas[1]), **common)


def factor(schedule: Constant | OneCycle, progress: float) -> float:
    """Factor (0–1) on the learning rate at `progress` (0–1) of all batches; a triangle by Smith, arXiv 1708.07120."""
    if isinstance(schedule, Constant):
        return 1.0
    if progress < schedule.warmup:
        return schedule.start + (1 - schedule.start) * progress / schedule.warmup
    return 1 + (schedule.end - 1) * (progress - schedule.warmup) / (1 - schedule.warmup)

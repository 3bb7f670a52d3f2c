"""Optimizers with the values of the recipe, and schedules at the points that define them."""

from typing import Any

import pytest
import torch
from torch import nn

from mnist_pipeline.core.params import Constant, OneCycle
from mnist_pipeline.training import optimizers
from tests import synthetic


def build(**optimizer: Any) -> torch.optim.Optimizer:
    return optimizers.build(nn.Linear(2, 2), synthetic.checked_recipe(optimizer=optimizer).optimizer)


def test_adamw_takes_the_values_of_the_recipe() -> None:
    optimizer = build(name="adamw", learning_rate=0.25, betas=[0.8, 0.99], weight_decay=0.5)
    assert isinstance(optimizer, torch.optim.AdamW)
    values = {key: optimizer.param_groups[0][key] for key in ("lr", "betas", "weight_decay")}
    assert values == {"lr": 0.25, "betas": (0.8, 0.99), "weight_decay": 0.5}


def test_sgd_takes_the_values_of_the_recipe() -> None:
    optimizer = build(name="sgd", learning_rate=0.25, momentum=0.9, nesterov=True, weight_decay=0.5)
    assert isinstance(optimizer, torch.optim.SGD)
    values = {key: optimizer.param_groups[0][key] for key in ("lr", "momentum", "nesterov", "weight_decay")}
    assert values == {"lr": 0.25, "momentum": 0.9, "nesterov": True, "weight_decay": 0.5}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_an_optimizer_moves_every_weight_against_its_gradient(name: str) -> None:
    network = nn.Linear(2, 2)
    spec = synthetic.checked_recipe(optimizer={"name": name, "learning_rate": 0.25}).optimizer
    before = [weight.detach().clone() for weight in network.parameters()]
    network(torch.ones(1, 2)).sum().backward()
    optimizers.build(network, spec).step()
    for old, new in zip(before, network.parameters(), strict=True):
        assert torch.allclose(old - new, torch.full_like(old, 0.25), atol=1e-5)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_constant_never_changes(progress: float) -> None:
    assert optimizers.factor(Constant(name="constant"), progress) == 1


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.2), (0.2, 0.6), (0.4, 1.0), (0.7, 0.55), (1.0, 0.1)])
def test_one_cycle_is_a_triangle(progress: float, expected: float) -> None:
    schedule = OneCycle(name="one_cycle", warmup=0.4, start=0.2, end=0.1)
    assert optimizers.factor(schedule, progress) == pytest.approx(expected)


@pytest.mark.parametrize(("warmup", "progress", "expected"), [(0.0, 0.0, 1.0), (0.0, 0.5, 0.5), (1.0, 0.5, 0.55)])
def test_one_cycle_may_be_all_fall_or_all_rise(warmup: float, progress: float, expected: float) -> None:
    assert optimizers.factor(OneCycle(name="one_cycle", warmup=warmup), progress) == pytest.approx(expected)

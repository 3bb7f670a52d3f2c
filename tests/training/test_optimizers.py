"""Optimizers with the values of the recipe, and schedules at the points that define them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_pipeline import networks
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.recipes import Constant, OneCycle
from mnist_pipeline.training import muon, optimizers
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


MUON = {"name": "muon", "learning_rate": 0.1, "others": {"learning_rate": 0.01}}


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_muon_keeps_directions_and_makes_all_about_equally_long(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    lengths = torch.diagonal(left.T @ muon.orthogonal(matrix) @ right.T)
    assert ((lengths > 0.3) & (lengths < 1.3)).all()
    assert not muon.orthogonal(torch.zeros(shape)).any()


def test_muon_moves_kernels_and_leaves_all_else_to_adamw() -> None:
    network = networks.build("convnet", width=4)
    optimizer = optimizers.build(network, synthetic.checked_recipe(optimizer=MUON).optimizer)
    optimizers.set_rates(optimizer, synthetic.checked_recipe(optimizer=MUON).optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.05]
    moved = _moves(network, optimizer)
    kernels = [moved.pop(name) for name in ("3.weight", "6.weight")]
    for rows in (kernel.flatten(1) for kernel in kernels):
        assert torch.linalg.svdvals(rows).median() == pytest.approx(0.05, rel=0.4)
    for step in moved.values():  # AdamW's first step is its learning rate in every weight that has a gradient
        assert step.abs().max() == pytest.approx(0.005, rel=0.01)


def _moves(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    network(torch.rand(8, 1, 28, 28)).square().sum().backward()
    optimizer.step()
    return {name: weight.detach() - before[name] for name, weight in network.named_parameters()}


def test_muon_has_something_to_do_or_says_so() -> None:
    with pytest.raises(PipelineError, match="expected convolutions with several input channels"):
        optimizers.build(nn.Linear(2, 2), synthetic.checked_recipe(optimizer=MUON).optimizer)


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

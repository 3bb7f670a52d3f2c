"""AdamW in exact arithmetic against torch's own in float64."""

import pytest
import torch

from mnist_pipeline.exact.adamw import AdamW


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_near_to_that_of_torch_in_float64(decay: float) -> None:
    """Of 20 steps each is rounded some ten times to float32; the learning rate changes as a schedule has it."""
    betas = [0.9, 0.99]
    ours = torch.randn(30, 7).requires_grad_()
    double = ours.detach().double().requires_grad_()
    first = ours.detach().clone()
    exact = AdamW([ours], 0.1, betas, decay)
    wide = torch.optim.AdamW([double], 0.1, (0.9, 0.99), weight_decay=decay)
    for number in range(20):
        ours.grad = torch.randn(30, 7) * 10.0 ** (number % 5 - 3)
        double.grad = ours.grad.double()
        for group in (*exact.param_groups, *wide.param_groups):
            group["lr"] = 0.1 / (1 + number)
        exact.step()
        wide.step()
    moved = (double - first.double()).norm()
    assert (ours.double() - double).norm() < 2**-20 * moved


def test_a_gradient_of_zero_moves_nothing() -> None:
    weight = torch.ones(3, requires_grad=True)
    weight.grad = torch.zeros(3)
    AdamW([weight], 0.1, [0.9, 0.999], 0.0).step()
    assert weight.tolist() == [1, 1, 1]

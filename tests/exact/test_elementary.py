"""Functions of a number against decimal arithmetic of 40 digits, and roots against the correctly rounded ones."""

import math
from collections.abc import Callable
from decimal import Context, Decimal

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mnist_pipeline.exact import elementary

PRECISE = Context(prec=40)


def ulps(values: Tensor, found: Tensor, exact: Callable[[Decimal], Decimal], least: float) -> float:
    """The largest error, in units of the last place of a result; of one that is at least `least`."""
    pairs = zip(values.tolist(), found.tolist(), strict=True)
    wanted = [(exact(Decimal(value)), Decimal(one)) for value, one in pairs]
    return max(float(abs(one - true)) / math.ulp(max(float(true), least)) for true, one in wanted)


def test_exp_is_within_two_units_of_the_last_place() -> None:
    halves = torch.arange(-1009.5, 0.0, dtype=torch.float64) * math.log(2)  # where the number of doublings changes
    tiny = torch.tensor([0.0, -0.0, -1e-300, -1e-17, -1e-16, -700.0], dtype=torch.float64)
    values = torch.cat([halves, tiny, -torch.rand(1000).double() * 700, -torch.rand(1000).double()])
    assert ulps(values, elementary.exp(values), PRECISE.exp, 0.0) <= 2
    assert elementary.exp(values[-1:] - 1e4) == elementary.exp(tiny[-1:])


def test_log_is_within_two_units_of_the_last_place_or_of_that_of_one() -> None:
    near = 1 + torch.logspace(-16, 0, 200, dtype=torch.float64)
    values = torch.cat([torch.linspace(1, 100, 1000, dtype=torch.float64), near, torch.tensor([1.0, 100.0])])
    assert ulps(values, elementary.log(values), PRECISE.ln, 1.0) <= 2


def test_probabilities_sum_to_one_whatever_the_logits() -> None:
    scales = torch.tensor([0.0, 1e-30, 1.0, 30.0, 1e4, 1e37])
    logits = (torch.randn(600, 10).reshape(6, 100, 10) * scales[:, None, None]).reshape(600, 10)
    probabilities, normalisation = elementary.softmax(logits)
    assert all(abs(math.fsum(row) - 1) <= 2**-50 for row in probabilities.tolist())
    assert torch.allclose(probabilities, logits.double().softmax(1), rtol=1e-14, atol=1e-300)
    assert torch.allclose(normalisation, logits.double().logsumexp(1), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("share", [1, 3])
def test_cross_entropy_and_its_gradient_are_those_of_torch_in_float64(smoothing: float, share: int) -> None:
    """Errors: of the loss 2**-48, of the gradient one rounding to float32. `share`: of how many batches."""
    logits, labels = (torch.randn(50, 10) * 5), torch.arange(50) % 10
    wide = logits.double().requires_grad_()
    expected = functional.cross_entropy(wide, labels, label_smoothing=smoothing) / share
    expected.backward()
    loss, gradient = elementary.cross_entropy(logits.requires_grad_(), labels, smoothing, 50 * share)
    assert loss == pytest.approx(expected.item(), rel=2**-48)
    assert wide.grad is not None
    assert torch.allclose(gradient.double(), wide.grad, rtol=2**-24 * 1.01, atol=1e-15)


def _midpoints() -> Tensor:
    """Float32 numbers in [1, 4) whose roots are nearest to the middle between two others: squares of all of those."""
    middle = 1 + (2 * torch.arange(2**23, dtype=torch.float64) + 1) * 2**-24
    square = middle.square().float()
    distance = (square.double() - middle.square()).abs()
    chosen = square[distance < 2**-29]  # some 190,000
    return torch.cat([chosen, *(chosen.nextafter(torch.tensor(end)) for end in (0.0, 5.0))])


def test_roots_are_correctly_rounded() -> None:
    bits = torch.randint(0, 0x7F800000, (1_000_000,), dtype=torch.int32).view(torch.float32)
    subnormal = torch.randint(0, 1 << 23, (100_000,), dtype=torch.int32).view(torch.float32)
    for values in (bits, subnormal, _midpoints()):
        assert np.array_equal(elementary.root(values).numpy(), np.sqrt(values.numpy()))

"""Sums and products against rational arithmetic, for whatever numbers; and errors that say what is too much."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, configuration, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor
from torch.autograd import Function

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.exact import layers, products
from mnist_pipeline.exact.products import DOUBLE, FEWEST, SINGLE, VALUES, Product, digits, total
from tests.exact import rational

LONGEST = 2 ** (DOUBLE - VALUES - FEWEST)
SPECIAL = [0.0, -0.0, 2.0**-149, -(2.0**-127), 2.0**-126, 1.0, -1.0, 2.0**-21, 1 + 2.0**-23, 0.1]
ORDERS = st.builds(lambda part, order: float(np.float32(part * 10.0**order)), st.floats(-1, 1), st.integers(-10, 10))
NUMBERS = st.sampled_from(SPECIAL) | ORDERS
SETTINGS = settings(
    max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
FEW = st.integers(1, 3)


@pytest.fixture(autouse=True, scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever hypothesis keeps, it keeps elsewhere."""
    configuration.set_hypothesis_home_dir(str(tmp_path_factory.mktemp("hypothesis")))


def tensors(*shape: int) -> st.SearchStrategy[Tensor]:
    """Zeros, subnormals and numbers of twenty orders of magnitude, often many equal ones."""
    return arrays.arrays(np.float32, shape, elements=NUMBERS).map(torch.from_numpy)


def same(found: Tensor | None, expected: Any) -> bool:
    """Whether all bits are the same; -0.0 is not 0.0."""
    assert found is not None
    ours = found.detach().numpy()
    return ours.shape == expected.shape and bool((ours.view(np.int32) == expected.view(np.int32)).all())


def check(layer: Any, values: Tensor, gradient: Tensor, stride: int, padding: int) -> None:
    """Forward and backward of a layer, with bias, against fractions; a linear layer convolves images of one pixel."""
    values.requires_grad_()
    found = layer(values)
    found.backward(gradient)
    four: Callable[[Tensor], Tensor] = lambda part: part.detach().reshape(*part.shape, *[1] * (4 - part.dim()))  # noqa: E731
    weight, bias, pulled = four(layer.weight), layer.bias.detach(), four(gradient)
    bits = min(SINGLE, DOUBLE - VALUES - digits(weight[0].numel()))
    left, right = rational.operands(four(values), VALUES), rational.operands(weight, bits)
    sums = rational.rounded(rational.convolution(left, right, stride, padding)[0])
    terms = gradient.numel() // gradient.shape[1]
    longest = max(bits + digits(weight[:, 0].numel()), VALUES + digits(terms))
    whole = rational.operands(pulled, min(SINGLE, DOUBLE - longest))
    to_values, to_weight = rational.gradients(left, right, whole, stride, padding)
    to_bias = rational.operands(pulled, SINGLE).sum(axis=(0, 2, 3))
    assert same(found, (sums + bias.numpy().reshape(-1, 1, 1)).reshape(found.shape))
    assert same(values.grad, rational.rounded(to_values).reshape(values.shape))
    assert same(layer.weight.grad, rational.rounded(to_weight).reshape(layer.weight.shape))
    assert same(layer.bias.grad, rational.rounded(to_bias))


def filled(layer: Any, draw: Any) -> Any:
    """The layer with drawn weights and biases."""
    for name in ("weight", "bias"):
        setattr(layer, name, torch.nn.Parameter(draw(tensors(*getattr(layer, name).shape))))
    return layer


@SETTINGS
@given(st.data(), FEW, st.integers(1, 9), FEW)
def test_a_linear_layer_is_the_rational_result_rounded_once(data: Any, rows: int, inputs: int, outputs: int) -> None:
    layer = filled(layers.Linear(inputs, outputs), data.draw)
    check(layer, data.draw(tensors(rows, inputs)), data.draw(tensors(rows, outputs)), 1, 0)


@SETTINGS
@given(st.data(), st.integers(1, 2), FEW, st.integers(0, 2), st.integers(1, 3), st.integers(1, 2))
def test_a_convolution_is_the_rational_result_rounded_once(
    data: Any, inputs: int, stride: int, padding: int, high: int, wide: int
) -> None:
    layer = filled(layers.Conv2d(inputs, 2, (high, wide), stride, padding), data.draw)
    values = data.draw(tensors(2, inputs, 4, 3))
    check(layer, values, data.draw(tensors(*layer(values).shape)), stride, padding)


@SETTINGS
@given(st.data(), FEW, FEW, st.integers(1, 5))
def test_a_total_is_the_rational_one_and_its_zeros_are_positive(data: Any, rows: int, channels: int, wide: int) -> None:
    values = data.draw(tensors(rows, channels, wide))
    expected = rational.operands(values, SINGLE).sum(axis=(0, 2))
    found = total(values)
    assert found.tolist() == [float(one) for one in expected]
    assert not found.signbit()[found == 0].any()
    assert same(found.float(), rational.rounded(expected))


@SETTINGS
@given(st.data(), FEW, st.integers(1, 3))
def test_an_average_is_the_rational_one(data: Any, channels: int, size: int) -> None:
    values = data.draw(tensors(2, channels, 3 * size - 1, size)).requires_grad_()  # what is left over is left out
    found = layers.AvgPool2d(size)(values)
    windows = rational.operands(values, VALUES)[:, :, : 2 * size].reshape(2, channels, 2, size, 1, size)
    share = rational.fractions(torch.tensor(1 / size**2))
    assert same(found, rational.rounded(windows.sum(axis=(3, 5)) * share))
    gradient = data.draw(tensors(*found.shape))
    found.backward(gradient)
    spread = rational.rounded(rational.operands(gradient, SINGLE) * share)
    expected = np.zeros(values.shape, dtype=np.float32)
    expected[:, :, : 2 * size] = spread.repeat(size, axis=2).repeat(size, axis=3)
    assert same(values.grad, expected)


@pytest.mark.parametrize("largest", [True, False])
def test_the_longest_sums_are_exact(largest: bool) -> None:
    """The largest operands fill all 53 bits: each is rounded up to a power of two, and none is negative."""
    draw: Callable[..., Tensor] = (lambda *shape: torch.full(shape, 1 - 2.0**-24)) if largest else torch.randn
    values, weight = draw(1, LONGEST), draw(1, LONGEST)
    found = Product.apply(torch.nn.functional.linear, values, weight, None)
    (left, power), (right, other) = products.integers(values, VALUES), products.integers(weight, FEWEST)
    sums = int(left.numpy().astype(np.int64)[0] @ right.numpy().astype(np.int64)[0])
    assert sums == 2**DOUBLE or not largest
    assert float(found) == float(np.float32(math.ldexp(sums, -power - other)))
    single = torch.ones(1, 1, requires_grad=True)
    Product.apply(torch.nn.functional.linear, values.T, single, None).backward(weight.T)
    assert single.grad is not None
    assert float(single.grad) == float(found)


def test_the_order_of_terms_does_not_matter() -> None:
    values, weight = torch.randn(3, 1000) * torch.logspace(-10, 10, 1000), torch.randn(4, 1000)
    other = torch.randperm(1000)
    one, two = (Product.apply(torch.nn.functional.linear, values[:, by], weight[:, by], None) for by in (..., other))
    assert torch.equal(one, two)
    assert torch.equal(total(values.T[:, None]), total(values.T[other, None]))


def _linear(values: Tensor, weight: Tensor, gradient: Tensor) -> None:
    Product.apply(torch.nn.functional.linear, values, weight.requires_grad_(), None).backward(gradient)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_numbers_that_are_not_finite_are_named(number: float, place: int) -> None:
    operands = torch.ones(2, 3), torch.ones(4, 3), torch.ones(2, 4)
    operands[place][1, 1] = number
    with pytest.raises(PipelineError, match=r"expected finite numbers and 12 bits .*, found up to inf .*learning_rate"):
        _linear(*operands)


@pytest.mark.parametrize(("rows", "inputs"), [(1, LONGEST + 1), (LONGEST + 1, 1)])
def test_a_sum_that_is_too_long_says_so(rows: int, inputs: int) -> None:
    with pytest.raises(PipelineError, match=r"12 bits .*, found up to 1.0 and 11 bits; .*lower .* batch or the layer"):
        _linear(torch.ones(rows, inputs), torch.ones(1, inputs), torch.ones(rows, 1))


class _Watched(Function):
    """The operand itself; notes whether cuDNN might have computed it, and its gradient."""

    seen: tuple[bool, ...] = ()

    @staticmethod
    def forward(_: Any, values: Tensor, weight: Tensor) -> Tensor:
        _Watched.seen += (torch.backends.cudnn.enabled,)
        return values @ weight.T

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        _Watched.seen += (torch.backends.cudnn.enabled,)
        return gradient, gradient


def test_no_algorithm_of_cudnn_is_used_forward_or_backward() -> None:
    one = torch.ones(1, 1, requires_grad=True)
    Product.apply(_Watched.apply, one, one, None).backward(torch.ones(1, 1))
    assert _Watched.seen == (False, False)
    assert torch.backends.cudnn.enabled

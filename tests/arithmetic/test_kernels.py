"""Operations that portable arithmetic computes itself: the bits that MKL has on every processor, and right roots."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mnist_pipeline.arithmetic import kernels, portable
from mnist_pipeline.core.params import Runtime

SHAPES = [  # rows, what is summed over, columns: the large products of the shipped recipes, and some more
    (128, 3136, 1024),
    (100, 3136, 1024),
    (128, 1024, 3136),
    (1024, 128, 3136),
    (256, 784, 128),
    (128, 256, 784),
    (256, 64, 128),
    (64, 112, 64),
    (64, 113, 64),
    (8, 1237, 160),
]


@pytest.fixture(autouse=True)
def _installed() -> None:
    why = portable.obstacle(Runtime(device="cpu", threads=1))
    if why is not None:
        pytest.skip(f"portable arithmetic: {why}")
    kernels.install()


def _by_mkl(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    out = torch.empty(len(left), right.shape[1])
    if bias is None:
        return torch.mm(left, right, out=out)
    return torch.addmm(bias, left, right, out=out)


@pytest.mark.parametrize(("rows", "inner", "columns"), SHAPES)
def test_large_products_have_the_bits_of_mkl(rows: int, inner: int, columns: int) -> None:
    left, right, bias = torch.randn(rows, inner), torch.randn(inner, columns), torch.randn(columns)
    assert torch.equal(left @ right, _by_mkl(left, right))
    assert torch.equal(torch.addmm(bias, left, right), _by_mkl(left, right, bias))
    across, down = torch.randn(inner, rows).t(), torch.randn(columns, inner).t()
    assert torch.equal(across @ down, _by_mkl(across, down))


def test_they_are_computed_here_and_not_by_mkl(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when MKL took fewer products for a part; narrow products and other factors are MKL's."""
    left, right, bias = torch.randn(64, 784), torch.randn(784, 64), torch.randn(64)
    monkeypatch.setattr(kernels, "PART", 100)
    assert not torch.equal(left @ right, _by_mkl(left, right))
    assert torch.equal(left @ right[:, :10], _by_mkl(left, right[:, :10]))
    assert torch.equal(torch.addmm(bias, left, right, beta=0), _by_mkl(left, right, torch.zeros(64)))
    assert (left.double() @ right.double()).dtype == torch.float64


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        torch.randn(64, 224) @ torch.randn(336, 64)


def test_gradients_go_through_them() -> None:
    images, layer = torch.randn(128, 784), torch.nn.Linear(784, 128)
    layer(images.requires_grad_()).sum().backward()
    assert layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, images.detach().sum(dim=0).expand(128, 784), rtol=1e-4, atol=1e-4)


def test_roots_are_correctly_rounded_in_every_form() -> None:
    values = torch.rand(4097) * 3
    expected = torch.from_numpy(np.sqrt(values.numpy()))
    assert torch.equal(values.sqrt(), expected)
    assert torch.equal(values.clone().sqrt_(), expected)
    assert torch.equal(torch.sqrt(values, out=torch.empty(0)), expected)
    assert torch.equal(torch._foreach_sqrt([values])[0], expected)
    assert torch.equal(values.double().sqrt(), torch.from_numpy(np.sqrt(values.double().numpy())))
    assert (torch.arange(5).sqrt().dtype, values.bfloat16().sqrt().dtype) == (torch.float32, torch.bfloat16)
    assert torch.sqrt(torch.tensor(-1.0)).isnan()


def test_the_root_keeps_its_gradient_and_its_layout() -> None:
    values = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    root = values.sqrt()
    root.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, 1 / (2 * root.detach()))
    assert root.stride() == values.stride()

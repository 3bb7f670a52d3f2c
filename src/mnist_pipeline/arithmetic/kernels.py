"""Operations of torch that portable arithmetic computes by numpy: square roots and large matrix products.

MKL's square roots differ by processor, and every sixth is off by one bit; numpy's are rounded as IEEE 754 says.
MKL's products that agree on every processor use SSE2: of each sum they take 112 products at a time, one multiplication
and one addition after the other, and add these parts up, the last one first (found by experiment, MKL 2024.2). numpy's
OpenBLAS, held to the kernel for Sandy Bridge, rounds as often, but with AVX: the same parts in half the time.
"""

import warnings
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PART = 112  # products that MKL adds up before it adds their sum to the others
TILE = 4, 8  # rows and columns of MKL's tile; those left over at the edges it adds up in another order
SMALL = 64, 1 << 18  # columns of the first matrix, and multiplications, below which nothing is gained
Matrix = npt.NDArray[np.float32]


@cache
def install() -> torch.library.Library:
    """Put them in the place of torch's own, for this process. What is returned keeps them there."""
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a kernel already
        library.impl("sqrt", root, "CPU")
        library.impl("sqrt_", lambda values: values.copy_(root(values)), "CPU")
        library.impl("sqrt.out", lambda values, *, out: out.resize_(values.shape).copy_(root(values)), "CPU")
        library.impl("mm", product, "CPU")
        library.impl("addmm", _product_and_sum, "CPU")
    return library


def root(values: Tensor) -> Tensor:
    """The square root of each value, correctly rounded; of integers as floats, of negative numbers NaN."""
    result = values.dtype if values.is_floating_point() or values.is_complex() else torch.get_default_dtype()
    wide = torch.float32 if result in (torch.float16, torch.bfloat16) else result
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(np.asarray(np.sqrt(values.detach().to(wide).numpy()))).to(result)


def product(left: Tensor, right: Tensor) -> Tensor:
    """The product of matrices (m, k) and (k, n)."""
    total = left.new_empty(len(left), right.shape[1])  # torch aligns it in memory, numpy would not
    if not _is_large(left, right):
        return torch.ops.aten.mm.out(left, right, out=total)  # type: ignore[no-any-return]
    first, *others = _parts(left, right)
    np.matmul(*first, out=total.numpy())
    return _add(total, others)


def _product_and_sum(bias: Tensor, left: Tensor, right: Tensor, **factors: Any) -> Tensor:
    """`bias`, which may be a row, plus the product."""
    total = left.new_empty(len(left), right.shape[1])
    if not _is_large(left, right) or bias.dtype != torch.float32 or set(factors.values()) - {1}:
        return torch.ops.aten.addmm.out(bias, left, right, **factors, out=total)  # type: ignore[no-any-return]
    return _add(total.copy_(bias.detach()), _parts(left, right))


def _is_large(left: Tensor, right: Tensor) -> bool:
    rows, columns = len(left), right.shape[1]
    floats = left.dtype == right.dtype == torch.float32 and left.shape[1] == len(right)
    whole = rows > TILE[0] and rows % TILE[0] == 0 and columns % TILE[1] == 0
    return floats and whole and left.shape[1] >= SMALL[0] and left.numel() * columns >= SMALL[1]


def _parts(left: Tensor, right: Tensor) -> list[tuple[Matrix, Matrix]]:
    """Both matrices cut into parts of 112 columns or rows, the last one first."""
    first, second = left.detach().numpy(), right.detach().numpy()
    starts = list(range(0, left.shape[1], PART))
    return [(first[:, start : start + PART], second[start : start + PART]) for start in starts[-1:] + starts[:-1]]


def _add(total: Tensor, parts: list[tuple[Matrix, Matrix]]) -> Tensor:
    array: Matrix = total.numpy()
    for left, right in parts:
        array += left @ right
    return total

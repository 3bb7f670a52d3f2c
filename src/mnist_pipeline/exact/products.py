"""Sums without an order: their terms are rounded to integers so small that float64 holds every partial sum exactly.

So Ozaki et al., "Error-free transformations of matrix multiplication by using fast routines of matrix multiplication
and its applications" (2012), begin. Where torch.distributed has a process group, each process has a part of the batch.
"""

import math
from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd import Function

from mnist_pipeline.core.errors import PipelineError

DOUBLE, SINGLE = 53, 24  # bits of float64 and float32
VALUES = 20  # bits of a layer's inputs; its weights and gradients get what their sums leave
FEWEST = 12  # bits of an operand


def integers(values: Tensor, bits: int) -> tuple[Tensor, int]:
    """Float32 values as integers of at most `bits` bits, in float64, and the power of two that scaled them.

    Raises PipelineError for values that are not finite, and for too few bits, which is what long sums leave.
    """
    low, high = values.detach().aminmax()
    largest = float(shared(torch.maximum(-low, high).nan_to_num(math.inf, math.inf), distributed.ReduceOp.MAX))
    if bits < FEWEST or not math.isfinite(largest):
        raise PipelineError(
            f"exact arithmetic: expected finite numbers and {FEWEST} bits for each, found up to {largest} and {bits} "
            "bits; lower optimizer.learning_rate if they are not finite, and batch or the layer if the bits are too few"
        )
    power = min(127, min(SINGLE, bits) - math.frexp(largest)[1])  # largest < 2**frexp; float32 ends at 2**127
    return values.detach().mul(math.ldexp(1.0, power)).round_().double(), power


def rounded(sums: Tensor, power: int) -> Tensor:
    """Integers scaled back and rounded, once, to float32. Every zero gets a plus: an order may decide its sign."""
    return sums.mul(math.ldexp(1.0, -power)).float().add_(0.0)


def total(values: Tensor) -> Tensor:
    """The sum of float32 values (n, channels, …) over everything but the channels: float64 (channels,)."""
    whole, power = integers(values, DOUBLE - digits(count(values)))
    return shared(whole.sum([0, *range(2, values.dim())])) * math.ldexp(1.0, -power)


def count(values: Tensor) -> int:
    """How many values each channel has, in all processes."""
    return int(shared(torch.tensor(values.numel() // values.shape[1])))


def digits(terms: int) -> int:
    """By how many bits a sum of so many terms can be longer than they are."""
    return (terms - 1).bit_length()


def shared(part: Tensor, by: Any = distributed.ReduceOp.SUM) -> Tensor:
    """The sum, or what `by` says, over all processes that train together."""
    if distributed.is_initialized():
        distributed.all_reduce(part, by)
    return part


class Product(Function):
    """`operation(values, weight)` and a bias: sums of products; gradients are torch's for the integers: such sums.

    Shapes as torch has them: values (n, inputs, …), weight (outputs, inputs, …). No sum is longer than float64 holds.
    """

    @staticmethod
    def forward(ctx: Any, operation: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.bits = min(SINGLE, DOUBLE - VALUES - digits(weight[0].numel()))
        (left, power), (right, other) = integers(values, VALUES), integers(weight, ctx.bits)
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # its algorithms may round
            operands = left.requires_grad_(ctx.needs_input_grad[1]), right.requires_grad_(ctx.needs_input_grad[2])
            ctx.sums, ctx.operands, ctx.powers = operation(*operands), operands, (power, other)
        result = rounded(ctx.sums.detach(), power + other)
        return result if bias is None else result.add_(bias.reshape(-1, *[1] * (result.dim() - 2)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (left, right), (power, other) = gradients, ctx.operands, ctx.powers
        longest = ctx.bits + digits(right[:, 0].numel()), right.requires_grad * (VALUES + digits(count(gradient)))
        pulled, by = integers(gradient, DOUBLE - max(longest))
        with torch.backends.cudnn.flags(enabled=False):
            found = iter(torch.autograd.grad(ctx.sums, [one for one in (left, right) if one.requires_grad], pulled))
        to_values = rounded(next(found), by + other) if left.requires_grad else None
        to_weight = rounded(shared(next(found)), by + power) if right.requires_grad else None
        return None, to_values, to_weight, total(gradient).float() if ctx.needs_input_grad[3] else None

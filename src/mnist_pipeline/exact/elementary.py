"""Functions of a number, one operation of IEEE 754 after another: each library has an `exp` of its own."""

import math
from functools import reduce

import torch
from torch import Tensor

LOG2 = 0.693145751953125, 1.42860682030941723212e-6  # log 2 in two parts; the first one times an integer is exact
FACTORS = [1 / math.factorial(power) for power in range(13, -1, -1)]  # of the series of e**x, highest power first


def exp(values: Tensor) -> Tensor:
    """e to the power of float64 values of at most 0; below -700 that of -700, which is 1e-304."""
    values = values.clamp_min(-700.0)
    doublings = (values * (1 / math.log(2))).round_()
    rest, result = (values - doublings * LOG2[0]).sub_(doublings * LOG2[1]), torch.full_like(values, FACTORS[0])
    for factor in FACTORS[1:]:
        result = result.mul_(rest).add_(factor)
    return result.mul_((doublings.long() + 1023).bitwise_left_shift_(52).view(torch.float64))  # 2**doublings, by bits


def log(values: Tensor) -> Tensor:
    """The natural logarithm of float64 values from 1 to 100, by Halley's method."""
    result = torch.ones_like(values)
    for _ in range(6):
        ratio = values * exp(-result)
        result = result + torch.div(ratio - 1, ratio + 1).mul_(2)
    return result


def root(values: Tensor) -> Tensor:
    """The square root of float32 values, correctly rounded even where float64's is off by a bit: docs/exact.md."""
    return values.double().sqrt().float()


def softmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities of logits (n, classes), float64, and the logarithm of what normalises each row (n,)."""
    largest = logits.double().amax(1, keepdim=True)
    powers = exp(logits.double() - largest)
    sums = reduce(torch.add, powers.unbind(1))
    return torch.div(powers, sums[:, None]), log(sums).add_(largest[:, 0])


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float, count: int) -> tuple[float, Tensor]:
    """The sum of the images' cross-entropies in nats, divided by `count`, and its gradient, float32 (n, classes)."""
    (probabilities, normalisation), share = softmax(logits.detach()), smoothing / logits.shape[1]
    wanted = torch.full_like(probabilities, share).scatter_(1, labels[:, None], 1 - smoothing + share)
    losses = normalisation - reduce(torch.add, (wanted * logits.detach()).unbind(1))
    return math.fsum(losses.tolist()) / count, (probabilities - wanted).mul_(1 / count).float()

"""A network's layers in exact arithmetic: the same parameters under the same names, computed in another way."""

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.autograd import Function
from torch.nn import functional

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.exact.elementary import root
from mnist_pipeline.exact.products import Product, count, total


class Linear(nn.Linear):
    def forward(self, values: Tensor) -> Any:
        sums = Product.apply(functional.linear, values.flatten(0, -2), self.weight, self.bias)
        return sums.reshape(*values.shape[:-1], -1)


class Conv2d(nn.Conv2d):
    def forward(self, values: Tensor) -> Any:
        return Product.apply(self._convolve, values.contiguous(), self.weight.contiguous(), self.bias)

    def _convolve(self, values: Tensor, weight: Tensor) -> Tensor:
        return functional.conv2d(values, weight, None, self.stride, self.padding, self.dilation)


class AvgPool2d(nn.AvgPool2d):
    def forward(self, values: Tensor) -> Any:
        size: Any = self.kernel_size
        area = size**2
        return Product.apply(self._sums, values, values.new_full((1, area), 1 / area), None)

    def _sums(self, values: Tensor, weight: Tensor) -> Tensor:
        return functional.avg_pool2d(values, self.kernel_size, divisor_override=1) * weight[0, 0]


class BatchNorm2d(nn.BatchNorm2d):
    def forward(self, values: Tensor) -> Any:
        own: Any = self
        mean, variance = self._moments(values.detach()) if self.training else (own.running_mean, own.running_var)
        return Normalisation.apply(values, self.weight, self.bias, mean, root(variance + self.eps))

    def _moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel, which the running ones take up."""
        own: Any = self
        own.num_batches_tracked += 1
        momentum = 1 / int(own.num_batches_tracked) if self.momentum is None else self.momentum
        terms = count(values)
        mean = (total(values) * (1 / terms)).float()
        variance = (total((values - mean[:, None, None]).square_()) * (1 / terms)).float()
        own.running_mean.mul_(1 - momentum).add_(mean * momentum)
        own.running_var.mul_(1 - momentum).add_(variance * (terms / (terms - 1) * momentum))
        return mean, variance


class Normalisation(Function):
    """(values - mean) / deviation × weight + bias, with the gradient for mean and deviation of these values."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        inverse = torch.div(torch.ones_like(deviation), deviation)
        normal = (values - mean[:, None, None]).mul_(inverse[:, None, None])
        ctx.save_for_backward(normal, (weight * inverse)[:, None, None])
        return (normal * weight[:, None, None]).add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (normal, factor), share = gradients, ctx.saved_tensors, 1 / count(gradients[0])
        to_bias, to_weight = total(gradient), total(gradient * normal)
        mean, slope = ((part * share).float()[:, None, None] for part in (to_bias, to_weight))
        return (gradient - mean).sub_(normal * slope).mul_(factor), to_weight.float(), to_bias.float(), None, None


EXACT = {nn.Linear: Linear, nn.Conv2d: Conv2d, nn.AvgPool2d: AvgPool2d, nn.BatchNorm2d: BatchNorm2d}
MOVES = (nn.ReLU, nn.Flatten, "flatten", "permute", "reshape", "view")  # they choose and move numbers, and round none
OPTIONS = {"groups": 1, "padding_mode": "zeros", "affine": True, "track_running_stats": True}


def convert(network: nn.Module) -> nn.Module:
    """The same network with exact layers. Raises PipelineError that names what has no exact form here."""
    try:
        nodes = fx.symbolic_trace(network).graph.nodes
    except (TypeError, ValueError, RuntimeError) as error:
        raise PipelineError(f"runtime.arithmetic: exact: {type(network).__name__} can't be traced: {error}") from error
    for node in nodes:
        module = network.get_submodule(node.target) if node.op == "call_module" else None
        kind = getattr(node.target, "__name__", node.target) if module is None else type(module)
        if node.op not in ("placeholder", "output") and not (kind in (*EXACT, *MOVES) and _is_usual(module)):
            known = ", ".join(getattr(one, "__name__", str(one)) for one in (*EXACT, *MOVES))
            raise PipelineError(
                f"runtime.arithmetic: exact: {node.target} ({module or node.op}) has no exact form; there are {known}, "
                "with torch's usual options (no groups, square pooling windows that touch)"
            )
    for layer in network.modules():
        layer.__class__ = EXACT.get(type(layer), type(layer))
    return network


def _is_usual(module: nn.Module | None) -> bool:
    if isinstance(module, nn.AvgPool2d):
        size = module.kernel_size
        options = type(size), module.stride, module.padding, module.ceil_mode, module.divisor_override
        return options == (int, size, 0, False, None)
    return all(getattr(module, option, value) == value for option, value in OPTIONS.items())


def is_exact(network: nn.Module) -> bool:
    """Whether `convert` made it."""
    return any(type(module) in EXACT.values() for module in network.modules())

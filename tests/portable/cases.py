"""Operators in shapes as networks have them, forward and backward: what stands behind `operators.PROVEN`."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist_pipeline.training import muon

CHANNELS = 24
MAPS = (5, CHANNELS, 13, 13)  # sizes that no vector width divides
LAYERS = {
    "conv 1x1": lambda: nn.Conv2d(CHANNELS, 40, 1),
    "conv 3x3": lambda: nn.Conv2d(CHANNELS, 32, 3, padding=1),
    "conv 3x3 stride 2": lambda: nn.Conv2d(CHANNELS, 16, 3, stride=2, bias=False),
    "conv 3x3 dilated": lambda: nn.Conv2d(CHANNELS, 8, 3, dilation=2),
    "conv 5x5": lambda: nn.Conv2d(CHANNELS, 64, 5, padding=2),
    "conv 7x7": lambda: nn.Conv2d(CHANNELS, 10, 7),
    "conv depthwise": lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS),
    "conv grouped": lambda: nn.Conv2d(CHANNELS, 48, 3, groups=4),
    "conv transposed": lambda: nn.ConvTranspose2d(CHANNELS, 8, 3, stride=2),
    "batch norm": lambda: nn.BatchNorm2d(CHANNELS),
    "batch norm in evaluation": lambda: nn.BatchNorm2d(CHANNELS).eval(),
    "group norm": lambda: nn.GroupNorm(4, CHANNELS),
    "layer norm": lambda: nn.LayerNorm(13),
    "max pooling": lambda: nn.MaxPool2d(2),
    "average pooling": lambda: nn.AvgPool2d(2),
    "adaptive pooling": lambda: nn.AdaptiveAvgPool2d(4),
    "global pooling": lambda: nn.AdaptiveAvgPool2d(1),
    "dropout": lambda: nn.Dropout(0.2),
    "dropout of maps": lambda: nn.Dropout2d(0.2),
    "upsampling, bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "upsampling, nearest": lambda: nn.Upsample(scale_factor=2),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(CHANNELS * 13 * 13, 100)),
    "linear without bias": lambda: nn.Sequential(nn.Flatten(), nn.Linear(CHANNELS * 13 * 13, 10, bias=False)),
    "ReLU": nn.ReLU,
    "ReLU6": nn.ReLU6,
    "leaky ReLU": nn.LeakyReLU,
    "PReLU": nn.PReLU,
    "SiLU": nn.SiLU,
    "ELU": nn.ELU,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.flatten(1).softmax(dim=1),
    "log-softmax": lambda x: x.flatten(1).log_softmax(dim=1),
    "cross-entropy": lambda x: functional.cross_entropy(x.mean(dim=(2, 3)), torch.arange(5), label_smoothing=0.1),
    "squared error": lambda x: functional.mse_loss(x, torch.zeros_like(x)),
    "binary cross-entropy": lambda x: functional.binary_cross_entropy_with_logits(x, torch.ones_like(x)),
    "exp": torch.exp,
    "log": lambda x: (x.abs() + 0.1).log(),
    "log1p": lambda x: x.abs().log1p(),
    "root": lambda x: (x.abs() + 0.1).sqrt(),
    "sine": torch.sin,
    "cosine": torch.cos,
    "tangent": lambda x: x * x.detach().tan(),  # its gradient, and the next one's, take a power
    "error function": lambda x: x * x.detach().erf(),
    "clamp": lambda x: x.clamp(-1, 1),
    "sum": lambda x: x.sum(dim=(2, 3)),
    "mean": lambda x: x.mean(dim=(0, 2, 3)),
    "variance": lambda x: x.var(dim=(0, 2, 3)),
    "deviation": lambda x: x.std(dim=(0, 2, 3)),
    "cumulative sum": lambda x: x.flatten(1).cumsum(dim=1),
    "maximum": lambda x: x.amax(dim=(2, 3)),
    "product of matrices": lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
    "directions of equal length": lambda x: muon.orthogonal(x.flatten(1)),
    "concatenation": lambda x: torch.cat([x * 2, x - 1, x / 3, -x], dim=1),
    "padding": lambda x: functional.pad(x, (1, 2, 1, 2)),
    "attention": lambda x: _attention(x.flatten(2).transpose(1, 2)),
    "resampling": lambda x: functional.grid_sample(
        x, functional.affine_grid(torch.randn(5, 2, 3), list(x.shape), align_corners=False), align_corners=False
    ),
}
OPTIMIZERS: dict[str, Callable[[list[Tensor]], torch.optim.Optimizer]] = {
    "AdamW, fused": lambda weights: torch.optim.AdamW(weights, lr=0.01, fused=True),
    "AdamW": lambda weights: torch.optim.AdamW(weights, lr=0.01, foreach=False),
    "Adam, foreach": lambda weights: torch.optim.Adam(weights, lr=0.01, foreach=True),
    "SGD, fused": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=True, fused=True),
    "SGD": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, weight_decay=0.01),
    "RMSprop": lambda weights: torch.optim.RMSprop(weights, lr=0.01),
    "Adagrad": lambda weights: torch.optim.Adagrad(weights, lr=0.01),
}
DRAWS: dict[str, Callable[[], Tensor]] = {
    "uniform": lambda: torch.empty(1001).uniform_(-1, 1),
    "normal": lambda: torch.empty(1001).normal_(),
    "Bernoulli": lambda: torch.empty(1001).bernoulli_(0.3),
    "permutation": lambda: torch.randperm(1001),
}


def digests() -> dict[str, str]:
    """Twelve digits of a SHA-256 for each case: of what comes out, and of every gradient."""
    layers = {name: _run(build) for name, build in LAYERS.items()}
    functions = {name: _run_function(function) for name, function in FUNCTIONS.items()}
    optimizers = {name: _optimized(build) for name, build in OPTIMIZERS.items()}
    draws = {name: _drawn(draw) for name, draw in DRAWS.items()}
    return layers | functions | optimizers | draws


def _attention(x: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(x, x, x)


def _run_function(function: Callable[[Tensor], Tensor]) -> str:
    return _run(lambda: function)


def _run(build: Callable[[], Callable[[Tensor], Tensor]]) -> str:
    torch.manual_seed(0)
    operation = build()
    inputs = torch.randn(MAPS).to(memory_format=torch.channels_last).requires_grad_()
    outputs = operation(inputs)
    outputs.backward(torch.linspace(-1, 1, outputs.numel()).reshape(outputs.shape))
    weights = operation.parameters() if isinstance(operation, nn.Module) else ()
    return digest([outputs, *_gradients([inputs, *weights])])


def _gradients(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    return (tensor.grad for tensor in tensors if tensor.grad is not None)


def _optimized(build: Callable[[list[Tensor]], torch.optim.Optimizer]) -> str:
    torch.manual_seed(0)
    weights = torch.randn(1001, requires_grad=True)
    optimizer = build([weights])
    for _ in range(5):
        weights.grad = torch.randn(1001)
        optimizer.step()
    return digest([weights])


def _drawn(draw: Callable[[], Tensor]) -> str:
    torch.manual_seed(0)
    return digest([draw()])


def digest(tensors: Iterable[Tensor]) -> str:
    """Twelve digits of the SHA-256 of tensors."""
    sha = hashlib.sha256()
    for tensor in tensors:
        sha.update(tensor.detach().contiguous().numpy().tobytes())
    return sha.hexdigest()[:12]

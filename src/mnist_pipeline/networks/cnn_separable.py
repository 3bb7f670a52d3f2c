"""A wide stem, then a depthwise-separable convolution: depthwise 3×3, pointwise 64 → 8."""

from torch import nn


def network(outputs: int = 10, dropout: float = 0.2) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 64, 3),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, groups=64),
        nn.Conv2d(64, 8, 1),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(8 * 11 * 11, outputs),
    )

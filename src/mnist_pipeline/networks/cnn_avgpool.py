"""Two 3×3 convolutions, the first one averaged to half its size before its batchnorm.

With `softmax` it ends in probabilities, as its write-up has it, though the loss applies a softmax itself.
"""

from torch import nn


def network(outputs: int = 10, softmax: bool = False) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.AvgPool2d(2),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(16 * 14 * 14, outputs),
        *([nn.Softmax(dim=1)] if softmax else []),
    )

"""Two 5×5 convolutions, each halved by max-pooling, and a wide hidden layer.

With `softmax` it ends in probabilities, as its write-up has it, though the loss applies a softmax itself.
"""

from torch import nn


def network(outputs: int = 10, softmax: bool = False) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1024),
        nn.ReLU(inplace=True),
        nn.Linear(1024, outputs),
        *([nn.Softmax(dim=1)] if softmax else []),
    )

"""One hidden layer, as wide as an image: 784 → 28 → outputs."""

from torch import nn


def network(outputs: int = 10, hidden: int = 28) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

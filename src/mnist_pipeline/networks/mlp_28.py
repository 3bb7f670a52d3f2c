"""One hidden layer, as wide as an image: 784 → 28 → 10."""

from torch import nn


def network(hidden: int = 28) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))

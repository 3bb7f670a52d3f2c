"""Our own: a strided stem, two 3×3 convolutions, batchnorm throughout.

The stem takes the image to 14×14 in one step, so that almost all the arithmetic happens on small maps.
"""

from torch import nn


def network(width: int = 32) -> nn.Module:
    return nn.Sequential(
        *_block(1, width, kernel=5, stride=2),
        *_block(width, 2 * width, kernel=3, stride=2),
        *_block(2 * width, 2 * width, kernel=3, stride=1),
        nn.Flatten(),
        nn.Linear(2 * width * 7 * 7, 10),
    )


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

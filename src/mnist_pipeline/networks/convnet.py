"""Our own: a strided stem, two 3×3 convolutions, batchnorm throughout.

The stem takes the image to 14×14 in one step, so that almost all the arithmetic happens on small maps.
"""

from torch import Tensor, nn


class FlattenChannelsLast(nn.Module):
    """Features in the order in which a channels_last tensor has them in memory: neither way is anything copied."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)


def network(outputs: int = 10, width: int = 32) -> nn.Module:
    return nn.Sequential(
        *_block(1, width, kernel=5, stride=2),
        *_block(width, 2 * width, kernel=3, stride=2),
        *_block(2 * width, 2 * width, kernel=3, stride=1),
        FlattenChannelsLast(),
        nn.Linear(2 * width * 7 * 7, outputs),
    )


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

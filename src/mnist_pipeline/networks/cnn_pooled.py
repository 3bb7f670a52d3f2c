"""Our own: a 5×5 stem at full size and 3×3 convolutions, maximum pooling after the first two, batchnorm throughout.

Pooling comes before batchnorm and ReLU, which then see a quarter of the values.
"""

from torch import Tensor, nn


class FlattenChannelsLast(nn.Module):
    """Features in the order in which a channels_last tensor has them in memory: neither way is anything copied."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)


def network(
    outputs: int = 10,
    stem: int = 8,
    middle: int = 24,
    last: int = 64,
    last_layers: int = 1,
    margin: int = 0,
    padded: bool = True,
    dropout: float = 0.0,
) -> nn.Module:
    """`stem`, `middle`, `last`: channels. `margin`: pixels cropped from each side of an image (0 to 8).

    `padded`: whether the last layers keep the size of their maps; without it each takes a pixel off every side.
    `dropout`: share (0 to 1) of the features that a training step sets to 0.
    """
    size = (28 - 2 * margin - 4) // 2 // 2 - (0 if padded else 2 * last_layers)
    blocks = [_block(1, stem, 5, padding=0, pooled=True), _block(stem, middle, 3, padding=1, pooled=True)]
    for inputs in [middle, *[last] * (last_layers - 1)]:
        blocks.append(_block(inputs, last, 3, padding=1 if padded else 0, pooled=False))
    layers = [layer for block in blocks for layer in block]
    crop = [nn.ZeroPad2d(-margin)] if margin else []
    kept = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*crop, *layers, FlattenChannelsLast(), *kept, nn.Linear(last * size * size, outputs))


def _block(inputs: int, outputs: int, kernel: int, padding: int, pooled: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False)
    pooling = [nn.MaxPool2d(2)] if pooled else []
    return [convolution, *pooling, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

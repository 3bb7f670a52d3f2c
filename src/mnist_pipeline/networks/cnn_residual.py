"""Our own: maps of four sizes, at each a residual 3×3 convolution, maximum pooling between them, and a mean at the end.

Residual layers, whose output is added to their input, are from He et al., arXiv 1512.03385. The model was the network
of https://github.com/ttdoucet/mnist, which has three to five times the channels and other places for batchnorm.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """A 3×3 convolution with batchnorm and ReLU, added to what it was given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + functional.relu(self.norm(self.convolution(maps)))


def network(outputs: int = 10, width: int = 8, margin: int = 0, dropout: float = 0.0) -> nn.Module:
    """`width`: channels at full size, doubled each time the maps are halved. `margin`: pixels cropped from each side of
    an image (0 to 10). `dropout`: share (0 to 1) of the features that a training step sets to 0.
    """
    layers: list[nn.Module] = [nn.ZeroPad2d(-margin)] if margin else []
    for level, (inputs, given) in enumerate(pairwise([1, width, 2 * width, 4 * width, 8 * width])):
        kernel = 3 if level else 5
        halved = [nn.MaxPool2d(2)] if level else []
        convolution = nn.Conv2d(inputs, given, kernel, padding=kernel // 2, bias=False)
        layers += [*halved, convolution, nn.BatchNorm2d(given), nn.ReLU(inplace=True), Residual(given)]
    kept = [nn.Dropout(dropout)] if dropout else []
    mean = nn.AvgPool2d((28 - 2 * margin) // 8)
    return nn.Sequential(*layers, mean, nn.Flatten(), *kept, nn.Linear(8 * width, outputs))

"""Random affine maps of whole batches: every image is turned, moved, stretched and sheared by amounts of its own."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from mnist_pipeline.core.params import Affine


def random_affine(images: Tensor, spec: Affine) -> Tensor:
    """Images of shape (n, 1, h, w), uint8 or float, each through a map of its own; what comes from outside is 0.

    The amounts are uniform within the limits of `spec`, drawn from torch's generator on the CPU, so that they do not
    depend on the device.
    """
    rotation, shear, scale, right, down = torch.rand(5, len(images)).mul_(2).sub_(1)
    turn, lean = rotation * math.radians(spec.rotation), torch.tan(shear * math.radians(spec.shear))
    cosine, sine, stretch = turn.cos(), turn.sin(), 1 + scale * spec.scale
    shift = 2 * spec.translation  # affine_grid measures from -1 to 1: the width is 2
    rows = [
        torch.stack([cosine, lean * cosine - sine, right * shift], dim=1),
        torch.stack([sine, lean * sine + cosine, down * shift], dim=1),
    ]
    maps = torch.stack(rows, dim=1)
    maps[:, :, :2] *= stretch[:, None, None]
    grid = functional.affine_grid(maps.to(images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images.float(), grid, align_corners=False)

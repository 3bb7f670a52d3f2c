"""Random affine maps of whole batches: every image is turned, moved, stretched and sheared by amounts of its own."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from mnist_pipeline.core.recipes import Affine


def random_affine(images: Tensor, spec: Affine) -> Tensor:
    """Images (n, 1, h, w), uint8 or float, each by a map of its own within `spec`; what comes from outside is 0."""
    rotation, shear, scale, right, down = torch.rand(5, len(images)).mul_(2).sub_(1)  # on the CPU, whatever the device
    turn, lean = rotation * math.radians(spec.rotation), torch.tan(shear * math.radians(spec.shear))
    cosine, sine, stretch = turn.cos(), turn.sin(), 1 + scale * spec.scale
    shift = 2 * spec.translation  # affine_grid measures from -1 to 1: the width is 2
    entries = [cosine, lean * cosine - sine, right * shift, sine, lean * sine + cosine, down * shift]
    maps = torch.stack(entries, dim=1).view(-1, 2, 3)
    maps[:, :, :2] *= stretch[:, None, None]
    grid = functional.affine_grid(maps.to(images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images.float(), grid, align_corners=False)

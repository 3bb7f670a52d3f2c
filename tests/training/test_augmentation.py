"""Random affine maps: the right map for the amounts that were drawn, and amounts that stay within their limits."""

import math

import pytest
import torch
from torch import Tensor

from mnist_pipeline.core.recipes import Affine
from mnist_pipeline.training.augmentation import random_affine

ROTATION, SHEAR, SCALE, RIGHT, DOWN = range(5)
WHOLE = Affine(rotation=20.0, translation=0.1, scale=0.1, shear=10.0)


def drawn(seed: int, which: int) -> float:
    """What random_affine draws for one image after this seed, -1 to 1."""
    torch.manual_seed(seed)
    return float(torch.rand(5, 1)[which, 0] * 2 - 1)


def mapped(images: Tensor, seed: int = 0, **limits: float) -> Tensor:
    torch.manual_seed(seed)
    return random_affine(images, Affine.model_validate(limits))


def square(half: int) -> Tensor:
    """A bright square in the middle of one image."""
    image = torch.zeros(1, 1, 28, 28)
    image[..., 14 - half : 14 + half, 14 - half : 14 + half] = 200
    return image


def test_limits_of_zero_change_nothing() -> None:
    images = torch.rand(5, 1, 28, 28) * 255
    assert torch.allclose(mapped(images), images, atol=1e-3)


@pytest.mark.parametrize(("which", "axis"), [(RIGHT, 3), (DOWN, 2)])
def test_translation_moves_by_whole_pixels(which: int, axis: int) -> None:
    amount = drawn(0, which)
    line = torch.rand(28)  # the same in all rows (or columns), so that the other direction moves nothing
    images = line.expand(1, 1, 28, 28) if axis == 3 else line[:, None].expand(1, 1, 28, 28)
    moved = mapped(images, seed=0, translation=3 / 28 / abs(amount))
    steps = -int(math.copysign(3, amount))
    middle = moved[0, 0, 14] if axis == 3 else moved[0, 0, :, 14]
    assert torch.allclose(middle[3:-3], line.roll(steps)[3:-3], atol=1e-4)


def test_what_comes_from_outside_is_background() -> None:
    moved = mapped(torch.full((1, 1, 28, 28), 255.0), translation=1.0)
    assert moved.min() == 0


@pytest.mark.parametrize("seed", [3, 5])  # which draw large amounts, one to each side
def test_a_quarter_turn_is_exact(seed: int) -> None:
    amount = drawn(seed, ROTATION)
    image = torch.rand(1, 1, 28, 28)
    turned = mapped(image, seed=seed, rotation=90 / abs(amount))
    assert torch.allclose(turned, image.rot90(int(math.copysign(1, amount)), (2, 3)), atol=1e-4)


def test_scale_stretches_both_ways() -> None:
    amount = drawn(0, SCALE)
    stretched = mapped(square(4), seed=0, scale=0.5)
    sides = 1 / (1 + 0.5 * amount)
    assert float(stretched.sum() / square(4).sum()) == pytest.approx(sides**2, rel=0.02)


def test_shear_leans_and_keeps_the_area() -> None:
    amount = drawn(0, SHEAR)
    leaned = mapped(square(6), seed=0, shear=30.0)[0, 0]
    columns = torch.arange(28.0)
    upper, lower = ((leaned[row] * columns).sum() / leaned[row].sum() for row in (10, 17))
    assert float(upper - lower) == pytest.approx(7 * math.tan(math.radians(30 * amount)), abs=0.1)
    assert float(leaned.sum() / square(6).sum()) == pytest.approx(1, rel=0.02)


def test_translation_stays_within_its_limit_in_every_direction() -> None:
    moved = mapped(square(2).expand(200, 1, 28, 28), translation=0.1)[:, 0]
    ink, pixels = moved.sum(dim=(1, 2)), torch.arange(28.0)
    right = (moved.sum(dim=1) * pixels).sum(dim=1) / ink - 13.5
    down = (moved.sum(dim=2) * pixels).sum(dim=1) / ink - 13.5
    for shift in (right, down):
        assert -2.8 <= shift.min() < -2.5
        assert 2.5 < shift.max() <= 2.8


def test_each_image_gets_a_map_of_its_own() -> None:
    images = torch.rand(1, 1, 28, 28).expand(4, 1, 28, 28)
    torch.manual_seed(0)
    assert len({tuple(image.flatten().tolist()) for image in random_affine(images, WHOLE)}) == 4


def test_the_same_seed_gives_the_same_maps_and_another_others() -> None:
    images = torch.rand(3, 1, 28, 28)
    limits = WHOLE.model_dump()
    assert torch.equal(mapped(images, seed=1, **limits), mapped(images, seed=1, **limits))
    assert not torch.equal(mapped(images, seed=1, **limits), mapped(images, seed=2, **limits))

"""Orders and initial weights from a stream that never changes."""

import torch
from torch import nn

from mnist_pipeline.exact import draws


def test_an_order_has_every_image_once_and_is_another_for_each_seed_and_epoch() -> None:
    orders = [draws.permutation(1000, seed, epoch) for seed in (1, 2) for epoch in (1, 2)]
    assert all(torch.equal(order.sort().values, torch.arange(1000)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert draws.permutation(10, 1, 1).tolist() == [5, 6, 3, 0, 7, 2, 1, 4, 9, 8]


def test_weights_are_uniform_within_one_over_the_root_of_the_inputs() -> None:
    convolution, normalisation, linear = nn.Conv2d(4, 50, 5), nn.BatchNorm2d(50), nn.Linear(100, 50)
    draws.initialise(nn.Sequential(convolution, normalisation, linear), seed=1)
    for layer in (convolution, linear):
        assert all(parameter.abs().max() <= 0.1 for parameter in layer.parameters())
        assert abs(float(layer.weight.detach().mean())) < 0.003
        assert abs(float(layer.weight.detach().std()) - 0.1 / 3**0.5) < 0.002
    assert normalisation.weight.tolist() == [1] * 50
    again = nn.Conv2d(4, 50, 5)
    draws.initialise(again, seed=1)
    assert torch.equal(again.weight, convolution.weight)

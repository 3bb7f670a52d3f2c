"""Layers and whole networks against torch's own in float64, and what has no exact form.

An operand of so many bits is off by at most 2**-bits of the largest one. Here every operand has 20 bits or more, so
that an error is below 2**-18.5 of what a sum would be if all operands were the largest: two of them, and roundings to
float32. Of operands that are spread like normal ones it is below 2**-17 of the result's norm: the largest is some four
deviations, and each error at random.
"""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_pipeline import networks
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.exact import elementary, layers
from tests.exact import trainings

LARGEST, NORM, NETWORK = 2**-18.5, 2**-17, 2**-14
LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(50, 20), (8, 50)),
    "linear without bias": (nn.Linear(50, 20, bias=False), (8, 50)),
    "linear over rows": (nn.Linear(6, 5), (4, 7, 6)),
    "linear over as many rows": (nn.Linear(6, 5), (4, 5, 6)),
    "convolution": (nn.Conv2d(3, 8, 3, stride=2, padding=1), (8, 3, 11, 9)),
    "dilated convolution": (nn.Conv2d(2, 4, (3, 1), dilation=2, padding="same", bias=False), (4, 2, 8, 8)),
    "average": (nn.AvgPool2d(2), (4, 2, 9, 8)),
    "average of nine": (nn.AvgPool2d(3), (4, 2, 9, 8)),
}


def run(module: nn.Module, values: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    """What it gives, and the gradients of its inputs and weights, as float64."""
    inputs = values.clone().requires_grad_()
    module.zero_grad()
    result = module(inputs)
    result.backward(gradient)
    found = {"result": result, "inputs": inputs.grad} | {name: part.grad for name, part in module.named_parameters()}
    return {name: part.detach().double() for name, part in found.items() if part is not None}


def convert(module: nn.Module) -> nn.Module:
    """A copy with exact layers, under the same names."""
    return layers.convert(nn.Sequential(copy.deepcopy(module)))[0]  # type: ignore[no-any-return, index]


def exact_and_double(module: nn.Module, values: Tensor, gradient: Tensor) -> Any:
    ours, double = convert(module), copy.deepcopy(module).double()
    return ours, double, run(ours, values, gradient), run(double, values.double(), gradient.double())


def assert_near(found: dict[str, Tensor], expected: dict[str, Tensor], share: float) -> None:
    assert found.keys() == expected.keys()
    errors = {name: float((found[name] - part).norm() / part.norm()) for name, part in expected.items()}
    assert max(errors.values()) < share, errors


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_near_to_that_of_torch_in_float64(name: str) -> None:
    module, shape = LAYERS[name]
    values = torch.randn(shape)
    gradient = torch.randn(module(values).shape)
    _, double, found, expected = exact_and_double(module, values, gradient)
    assert_near(found, expected, NORM)
    with torch.no_grad():
        for weight in double.parameters():
            weight.fill_(weight.abs().max())
    parts = (torch.full_like(part, float(part.abs().max())).double() for part in (values, gradient))
    largest = run(double, *parts)
    assert all(((found[key] - expected[key]).abs() <= LARGEST * largest[key]).all() for key in expected)


@pytest.mark.parametrize("momentum", [0.1, 1.0, None])
def test_batch_normalisation_is_near_to_that_of_torch_in_float64(momentum: float | None) -> None:
    """Nothing in it has fewer than 24 bits, but float32 is rounded in every step."""
    module = nn.BatchNorm2d(3, momentum=momentum)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([1.0, 0.5, -2.0]))
        module.bias.copy_(torch.tensor([0.0, 1.0, -0.1]))
    for _ in range(2):
        values = torch.randn(6, 3, 5, 4) + 2
        ours, double, found, expected = exact_and_double(module, values, torch.randn_like(values))
        assert_near(found, expected, 2**-20)
        running = [{name: part.double() for name, part in each.named_buffers()} for each in (ours, double)]
        assert_near(running[0], running[1], 2**-22)
        module.load_state_dict(ours.state_dict())
    ours.eval(), double.eval()
    with torch.no_grad():
        assert_near({"": ours(values)}, {"": double(values.double())}, 2**-20)


@pytest.mark.parametrize("network", trainings.NETWORKS)
def test_a_whole_network_is_near_to_that_of_torch_in_float64(network: str) -> None:
    """Errors grow from layer to layer, and a ReLU may let through what it should not: 2**-14 of the norm at most."""
    module = networks.build(network, **trainings.NETWORKS[network]).to(memory_format=torch.channels_last)
    images, labels = trainings.batches()[0]
    values = images / 64.0 - 1
    logits = module(values).detach()
    gradient = elementary.cross_entropy(logits, labels, 0.1, len(labels))[1]
    *_, found, expected = exact_and_double(module, values, gradient)
    if network == "cnn_avgpool":  # whatever a bias before a batchnorm adds, that takes away
        assert found.pop("0.bias").norm() < NETWORK * found["0.weight"].norm()
        assert expected.pop("0.bias").norm() < 1e-12
    assert_near(found, expected, NETWORK)


def test_parameters_keep_their_names_and_values() -> None:
    module = networks.build("convnet", width=4)
    before = copy.deepcopy(module.state_dict())
    assert not layers.is_exact(module)
    assert layers.is_exact(layers.convert(module))
    after = module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], part) for name, part in before.items())


class Branch(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values if values.sum() > 0 else -values


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, values: Tensor) -> Tensor:
        return self.layer(values).add(values)  # type: ignore[no-any-return]


WITHOUT: dict[str, tuple[nn.Module, str]] = {
    "cnn_5x5": (networks.build("cnn_5x5"), r"2 \(MaxPool2d"),
    "cnn_separable": (networks.build("cnn_separable"), r"5 \(MaxPool2d"),
    "softmax": (networks.build("cnn_avgpool", softmax=True), r"8 \(Softmax"),
    "dropout": (nn.Sequential(nn.Dropout()), r"0 \(Dropout"),
    "groups": (nn.Sequential(nn.Conv2d(4, 4, 3, groups=4)), r"0 \(Conv2d.*groups=4.*no groups"),
    "padding": (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")), r"0 \(Conv2d.*reflect"),
    "windows that overlap": (nn.Sequential(nn.AvgPool2d(3, stride=2)), r"0 \(AvgPool2d.*windows that touch"),
    "windows not square": (nn.Sequential(nn.AvgPool2d((2, 1))), r"0 \(AvgPool2d.*square"),
    "another divisor": (nn.Sequential(nn.AvgPool2d(2, divisor_override=3)), r"0 \(AvgPool2d"),
    "rounded up": (nn.Sequential(nn.AvgPool2d(2, ceil_mode=True)), r"0 \(AvgPool2d"),
    "no running statistics": (nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False)), r"0 \(BatchNorm2d"),
    "addition": (Sum(), r"add \(call_method\)"),
    "branch": (Branch(), r"Branch can't be traced: symbolically traced variables"),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_what_has_no_exact_form_is_named_and_left_as_it_was(name: str) -> None:
    module, said = WITHOUT[name]
    kinds = [type(layer) for layer in module.modules()]
    with pytest.raises(PipelineError, match=rf"^runtime.arithmetic: exact: .*{said}"):
        layers.convert(module)
    assert [type(layer) for layer in module.modules()] == kinds


def test_relu_in_place_after_a_linear_layer() -> None:
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 4))
    other = nn.Sequential(module[0], nn.ReLU(), module[2])
    values, gradient = torch.randn(8, 6), torch.randn(8, 4)
    one, two = (run(convert(network), values, gradient) for network in (module, other))
    assert all(torch.equal(one[name], two[name]) for name in two)

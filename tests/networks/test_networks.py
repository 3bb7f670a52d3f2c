"""The networks: parameters as counted by hand, logits for any number of images, clear errors."""

from pathlib import Path

import pytest
import torch

from mnist_pipeline import networks
from mnist_pipeline.core.errors import PipelineError

PARAMETERS = {
    "mlp_28": 784 * 28 + 28 + 28 * 10 + 10,
    "mlp_128_64": 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10,
    "cnn_avgpool": (9 * 8 + 8) + 2 * 8 + (9 * 8 * 16 + 16) + (3136 * 10 + 10),
    "cnn_separable": (25 * 32 + 32) + (9 * 32 * 64 + 64) + 2 * 64 + (9 * 64 + 64) + (64 * 8 + 8) + (968 * 10 + 10),
    "cnn_5x5": (25 * 32 + 32) + (25 * 32 * 64 + 64) + (3136 * 1024 + 1024) + (1024 * 10 + 10),
}


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_published_networks_have_the_parameters_counted_by_hand(name: str, parameters: int) -> None:
    assert sum(one.numel() for one in networks.build(name).parameters() if one.requires_grad) == parameters


@pytest.mark.parametrize("name", [*PARAMETERS, "convnet", "cnn_pooled", "cnn_residual"])
def test_every_network_gives_ten_logits_an_image(name: str) -> None:
    network = networks.build(name).eval()
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)
    assert networks.build(name, 47).eval()(torch.zeros(3, 1, 28, 28)).shape == (3, 47)


@pytest.mark.parametrize("name", ["resnet", "../params", "a.b", ""])
def test_an_unknown_network_is_named(name: str) -> None:
    with pytest.raises(PipelineError, match="there is no file networks/"):
        networks.build(name)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("mlp_28", "hiden", 30),
        ("mlp_28", "hidden", "many"),
        ("mlp_28", "hidden", -1),
        ("convnet", "width", 0),
        ("cnn_pooled", "margin", 12),
        ("cnn_residual", "margin", 12),
        ("mlp_28", "name", "mlp_28"),
        ("mlp_28", "outputs", 10),
        ("cnn_separable", "dropout", 2.0),
    ],
)
def test_an_option_that_a_network_does_not_take_is_named(name: str, option: str, value: int | float | str) -> None:
    with pytest.raises(PipelineError, match=rf"networks/{name}.py: network\(\*\*{{'{option}': .*\) does not work: "):
        networks.build(name, **{option: value})


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("", "has no attribute 'network'"),
        (
            "from torch import nn\ndef network(outputs): return nn.Linear(28, 10)",
            "expected logits of shape .2, 10., found",
        ),
        ("from torch import nn\ndef network(outputs): return nn.Linear(9, 10)", "does not work"),
        ("def network(): return None", "unexpected keyword argument 'outputs'"),
        ("from mnist_pipeline.networks.mlp_28 import network", "expected nothing else of this project"),
        ("import torch\nfrom .mlp_28 import network", "found 'from .mlp_28 import network', expected nothing else"),
    ],
)
def test_a_faulty_new_network_is_explained(
    code: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"faulty_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(networks, "__path__", [str(tmp_path)])
    with pytest.raises(PipelineError, match=f"networks/{name}.py: .*{complaint}"):
        networks.build(name)

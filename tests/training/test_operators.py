"""Operators that a training uses, and those that are known to give the same bits everywhere."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.data.dataset import Dataset
from mnist_pipeline.training import loop, operators, optimizers
from mnist_pipeline.training.loop import Training
from mnist_pipeline.training.operators import PROVEN, Recorder
from tests import golden, synthetic
from tests.portable import cases

CPU = torch.device("cpu")


def _own(*layers: nn.Module) -> Training:
    """A training of somebody's own network."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), *layers, nn.Linear(20, 10))
    recipe = synthetic.checked_recipe()
    return Training(network, optimizers.build(network, recipe.optimizer), recipe, seed=1)


def _images(count: int = 100) -> tuple[Dataset, torch.Tensor]:
    data = synthetic.dataset(count)
    return data, data.all()


def test_what_may_differ_elsewhere_is_named() -> None:
    assert operators.unproven(_own(nn.ReLU()), _images()) == []
    assert operators.unproven(_own(nn.GELU(), nn.BatchNorm1d(20)), _images()) == ["gelu", "gelu_backward"]
    assert operators.unproven(_own(nn.Softplus()), _images()) == ["softplus", "softplus_backward"]


class Wide(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.double().exp().float()


def test_another_type_of_numbers_is_another_operator() -> None:
    assert "exp of torch.float64" in operators.unproven(_own(Wide()), _images())


def test_looking_does_not_train() -> None:
    started = loop.start(synthetic.checked_recipe(network="cnn_separable"), 1, CPU)
    before = [tensor.clone() for tensor in started.network.state_dict().values()]
    assert "convolution_backward" in operators.used(started, _images())
    assert all(map(torch.equal, started.network.state_dict().values(), before))
    assert (started.images_seen, started.history, len(started.optimizer.state)) == (0, [], 0)


def test_the_list_is_what_the_cases_and_the_shipped_recipes_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make test-portable` runs both on other processors; an operator stands on the list only with that evidence."""
    monkeypatch.chdir(tmp_path)
    with Recorder() as recorder:
        cases.digests()
    found = recorder.names
    for settings in golden.shipped().values():
        device = runtime.configure(settings.runtime)
        for model in settings.models:
            started = loop.start(settings.recipe(model), settings.seed, device)
            found |= operators.used(started, _images(settings.recipe(model).batch))
    assert found <= PROVEN
    assert found == PROVEN or golden.PIPELINES != golden.FOLDERS, "only a template's recipes may use fewer"

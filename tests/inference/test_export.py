"""ONNX Runtime answers as torch does; an export has the same bytes again; what has none is named."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mnist_pipeline import networks
from mnist_pipeline.core import files, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.data import dataset
from mnist_pipeline.inference import export
from mnist_pipeline.inference.models import Eager, Exported
from mnist_pipeline.training import loop
from mnist_pipeline.training.predictor import Classifier
from tests import golden
from tests.repository import ROOT

SETTINGS = golden.shipped()["."]
HERE = Path("models/small")
STEPS = 20


def small(classes: list[str]) -> Eager:
    """A model that is not trained."""
    recipe = next(iter(SETTINGS.models.values()))
    return Eager(Classifier(networks.build(recipe.network, len(classes), **recipe.options), recipe.scaling, classes))


def assert_test_images_are_answered_alike(name: str, count: int) -> None:
    """By a network that has learnt something: after its recipe's first batches."""
    recipe, data = SETTINGS.recipe(name), dataset.training_set()
    started = loop.start(recipe, SETTINGS.seed, torch.device("cpu"))
    list(islice(loop.steps(started, (data, data.all()), epoch=1), STEPS))
    model = Eager(Classifier(started.network, recipe.scaling, dataset.classes()))
    exported, test = Exported(export.export(model, HERE)), dataset.test_set()
    assert len(test.all()) >= count
    for indices in test.all()[:count].split(1000):
        images = test.batch(indices)[0].float().numpy()
        found, expected = exported(images), model(images)
        assert found.shape == (len(indices), len(model.classes))
        assert float(np.abs(found - expected).max()) <= export.NEAR
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_the_best_models_network_answers_alike(real_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(real_mnist)
    assert_test_images_are_answered_alike(files.read_json(ROOT / paths.BEST)["model"], 500)


@pytest.mark.long
@pytest.mark.parametrize("name", SETTINGS.models)
def test_all_test_images_are_answered_alike(name: str, real_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(real_mnist)
    assert_test_images_are_answered_alike(name, SETTINGS.data.test)


def test_an_export_has_the_same_bytes_again_and_no_path_in_it() -> None:
    model = small(["T-shirt/top", "Größe"])
    first = export.export(model, HERE)
    assert first == export.export(model, HERE)
    assert b".py" not in first
    assert Exported(first).classes == ["T-shirt/top", "Größe"]


class Unknown(nn.Module):
    """An operator without a counterpart in ONNX."""

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = torch.special.bessel_j0(images.flatten(1)[:, :10])
        return found


def test_what_can_not_be_exported_and_what_answers_nan_is_named() -> None:
    model = small(DIGITS)
    with pytest.raises(PipelineError, match=r"^models/small: no export to ONNX: .*bessel_j0"):
        export.export(Eager(Classifier(Unknown(), next(iter(SETTINGS.models.values())).scaling, DIGITS)), HERE)
    next(model.classifier.parameters()).data.fill_(float("nan"))
    with pytest.raises(PipelineError, match=r"differ from torch's by nan, expected at most 1e-05$"):
        export.export(model, HERE)

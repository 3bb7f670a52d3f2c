"""ONNX Runtime answers as torch does; an export has the same bytes wherever it is made; what has none is named."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mnist_pipeline import networks
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import DIGITS, Recipe
from mnist_pipeline.data import dataset
from mnist_pipeline.inference import export
from mnist_pipeline.inference.eager import Eager
from mnist_pipeline.inference.session import Floats, Session
from mnist_pipeline.training import loop
from mnist_pipeline.training.predictor import Classifier
from tests import golden, synthetic

SETTINGS = golden.shipped()["."]
STEPS = 20


def assert_equal_answers(model: Eager, images: Floats) -> None:
    content = export.export(model)
    assert content is not None
    session = Session(content)
    assert session.classes == model.classes
    batches = np.array_split(images, max(1, len(images) // 1000))
    found, expected = (np.concatenate([one(batch) for batch in batches]) for one in (session, model))
    assert found.shape == (len(images), len(model.classes))
    assert float(np.abs(found - expected).max()) <= export.NEAR
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def untrained(recipe: Recipe, classes: list[str]) -> Eager:
    network = networks.build(recipe.network, len(classes), **recipe.options)
    return Eager(Classifier(network, recipe.scaling, classes))


@pytest.mark.parametrize("name", SETTINGS.models)
def test_a_recipes_network_answers_alike(name: str) -> None:
    images = synthetic.digits(100, seed=3)[0][:, None].astype(np.float32)
    assert_equal_answers(untrained(SETTINGS.recipe(name), DIGITS), images)


@pytest.mark.long
@pytest.mark.parametrize("name", SETTINGS.models)
def test_ten_thousand_images_are_answered_alike(name: str, real_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a network that has learnt something: after its recipe's first batches."""
    monkeypatch.chdir(real_mnist)
    recipe, data = SETTINGS.recipe(name), dataset.training_set()
    started = loop.start(recipe, SETTINGS.seed, torch.device("cpu"))
    list(islice(loop.steps(started, (data, data.all()), epoch=1), STEPS))
    test = dataset.test_set()
    images: Floats = test.batch(test.all())[0].float().numpy()
    assert len(images) == SETTINGS.data.test
    assert_equal_answers(Eager(Classifier(started.network, recipe.scaling, DIGITS)), images)


def test_an_export_has_the_same_bytes_again_and_no_path_in_it() -> None:
    """Those who publish the same model at once bring the same file."""
    model = untrained(SETTINGS.recipe("mlp_28"), ["T-shirt/top", "Größe"])
    first = export.export(model)
    assert first == export.export(model)
    assert first is not None
    assert b".py" not in first
    assert Session(first).classes == ["T-shirt/top", "Größe"]


class Unknown(nn.Module):
    """An operator without a counterpart in ONNX."""

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = torch.special.bessel_j0(images.flatten(1)[:, :10])
        return found


def test_what_can_not_be_exported_is_named_and_what_has_no_answer_is_not_exported() -> None:
    recipe = SETTINGS.recipe("mlp_28")
    with pytest.raises(PipelineError, match="bessel_j0"):
        export.export(Eager(Classifier(Unknown(), recipe.scaling, DIGITS)))
    model = untrained(recipe, DIGITS)
    next(model.classifier.parameters()).data.fill_(float("nan"))
    assert export.export(model) is None

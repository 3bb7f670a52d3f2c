"""The manifest of a model: digests of the data, the recipe and the images that it was trained on."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_pipeline.core import paths
from mnist_pipeline.core.params import Params
from mnist_pipeline.data import dataset
from mnist_pipeline.training import manifest
from mnist_pipeline.training.manifest import Manifest
from tests import synthetic


def test_the_card_says_what_the_model_was_made_of(workspace: Path, settings: Params) -> None:
    recipe, indices = settings.recipe("small"), torch.tensor([3, 5, 8])
    found = manifest.describe("small", settings, "portable", ["gelu"], torch.nn.Linear(2, 3), indices)
    assert (found.model, found.recipe, found.seed, found.parameters) == ("small", recipe, settings.seed, 9)
    assert (found.split, found.runtime, found.training_images) == (settings.split, settings.runtime, 3)
    assert (found.arithmetic, found.unproven_operators) == ("unproven", ["gelu"])
    assert found.training_images_sha256 == dataset.digest(indices)
    assert found.recipe_sha256 == manifest.digest_recipe(recipe)
    assert found.data_sha256 == {
        path.name: hashlib.sha256((workspace / path).read_bytes()).hexdigest()
        for path in (paths.TRAINING_IMAGES, paths.TRAINING_LABELS)
    }


def test_a_card_comes_back_from_json() -> None:
    made = synthetic.manifest(synthetic.checked_recipe(augmentation={"rotation": 5.0}, options={"hidden": 30}))
    assert Manifest.model_validate_json(made.model_dump_json()) == made


def test_defaults_that_are_spelled_out_make_no_other_recipe() -> None:
    spelled = {"name": "one_cycle", "warmup": 0.3, "start": 0.1, "end": 0.0}
    assert digest() == digest(schedule=spelled)
    assert digest(options={"a": 1, "b": 2}) == digest(options={"b": 2, "a": 1})


@pytest.mark.parametrize("changes", [{"epochs": 2}, {"options": {"hidden": 30}}, {"scaling": {"mean": 0.2, "std": 1}}])
def test_any_change_makes_another_recipe(changes: dict[str, Any]) -> None:
    assert digest(**changes) != digest()


def digest(**changes: Any) -> str:
    return manifest.digest_recipe(synthetic.checked_recipe(**changes))

"""model.json: everything that makes a model what it is, besides its weights."""

import hashlib
import json
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.core.params import DIGITS, Arithmetic, Classes, Params, Runtime, Sha256, Split
from mnist_pipeline.core.recipes import Recipe
from mnist_pipeline.core.strict import Name, Strict
from mnist_pipeline.data import dataset


class Manifest(Strict):
    """Network, options and scaling are in `recipe`; the digests say which data, which recipe, which images.

    `recipe_sha256` is for people who look for equal recipes. `runtime`, as far as it decides bits, has the arithmetic
    that was asked for, `arithmetic` is the one used: `unproven` is portable but for `unproven_operators` of torch's.
    """

    model: Name
    classes: Classes = Field(default=DIGITS, exclude_if=lambda names: names == DIGITS)  # as before there was a choice
    recipe: Recipe
    seed: int
    split: Split
    runtime: Runtime
    arithmetic: Literal["portable", "unproven", "native", "exact"] = "native"  # as before there was a choice
    unproven_operators: list[str] = Field(default_factory=list)
    parameters: int
    data_sha256: dict[str, Sha256]
    recipe_sha256: Sha256
    training_images: int
    training_images_sha256: Sha256


def describe(
    model: str, given: Params, arithmetic: Arithmetic, unproven: list[str], network: nn.Module, indices: Tensor
) -> Manifest:
    """The manifest of a model with this network, trained on the images at `indices` of the files in `data/idx`."""
    recipe = given.recipe(model)
    return Manifest(
        model=model,
        classes=dataset.classes(),
        recipe=recipe,
        seed=given.seed,
        split=given.split,
        runtime=given.runtime.deciding(),
        arithmetic="unproven" if unproven else arithmetic,
        unproven_operators=unproven,
        parameters=sum(one.numel() for one in network.parameters() if one.requires_grad),
        data_sha256={path.name: sha256_of(path) for path in (paths.TRAINING_IMAGES, paths.TRAINING_LABELS)},
        recipe_sha256=digest_recipe(recipe),
        training_images=len(indices),
        training_images_sha256=dataset.digest(indices),
    )


def digest_recipe(recipe: Recipe) -> str:
    """SHA-256 of a recipe as JSON with sorted keys, defaults filled in."""
    return hashlib.sha256(json.dumps(recipe.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

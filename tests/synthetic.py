"""Small data sets in MNIST's format, made up: each digit is a bright patch at a place of its own, with noise."""

import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mnist_pipeline.core.params import Runtime, Split
from mnist_pipeline.core.recipes import Recipe
from mnist_pipeline.data.dataset import Dataset
from mnist_pipeline.data.idx import Bytes
from mnist_pipeline.training import checkpoints, loop
from mnist_pipeline.training.loop import Training
from mnist_pipeline.training.manifest import Manifest

FILES = {
    "training_images": "train-images-idx3-ubyte.gz",
    "training_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


def digits(count: int, seed: int) -> tuple[Bytes, Bytes]:
    """Images (count, 28, 28) and labels (count,) that any classifier can learn."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = generator.integers(0, 60, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = 2 + 5 * (label // 2), 4 + 12 * (label % 2)
        image[row : row + 4, column : column + 8] += 180
    order = generator.permutation(count)
    return images[order], labels[order]


def idx_bytes(values: Bytes) -> bytes:
    """An IDX file of unsigned bytes."""
    return struct.pack(f">{1 + values.ndim}I", 0x0800 | values.ndim, *values.shape) + values.tobytes()


def pack(content: bytes) -> bytes:
    """Gzip without a clock time."""
    return gzip.compress(content, mtime=0)


def write(folder: Path, training: int = 400, test: int = 100) -> None:
    """The four `.gz` files of a data set of this size."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("training", training), ("test", test)):
        images, labels = digits(count, seed=count)
        (folder / FILES[f"{part}_images"]).write_bytes(pack(idx_bytes(images)))
        (folder / FILES[f"{part}_labels"]).write_bytes(pack(idx_bytes(labels)))


def data_params(folder: Path, sources: list[str], training: int = 400, test: int = 100) -> dict[str, Any]:
    """The `data` of a params.yaml for the files in this folder, with sizes and digests."""
    files = {}
    for role, name in FILES.items():
        content = (folder / name).read_bytes()
        files[role] = {"file": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return {"name": "tiny", "training": training, "test": test, "sources": sources, "files": files}


def recipe(**changes: Any) -> dict[str, Any]:
    """A recipe that trains in milliseconds."""
    return {
        "network": "mlp_28",
        "scaling": {"mean": 0.2, "std": 0.3},
        "optimizer": {"name": "adamw", "learning_rate": 0.01},
        "schedule": {"name": "one_cycle"},
        "batch": 64,
        "epochs": 1,
        "log_every": 2,
    } | changes


def params(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A whole params.yaml as a mapping."""
    return {
        "seed": 1,
        "split": {"seed": 0, "validation": 50},
        "runtime": {"device": "cpu", "threads": 1},
        "data": data,
        "models": {"small": recipe()},
    } | changes


def checked_recipe(**changes: Any) -> Recipe:
    """The same recipe, parsed."""
    return Recipe.model_validate(recipe(**changes))


def manifest(trained: Recipe) -> Manifest:
    """The manifest of a model that this recipe trained, its digests made up."""
    digest = "0" * 64
    return Manifest(
        model="small",
        recipe=trained,
        seed=1,
        split=Split(seed=0, validation=50),
        runtime=Runtime(device="cpu", threads=1),
        parameters=22270,
        data_sha256={"training-images": digest},
        recipe_sha256=digest,
        training_images=350,
        training_images_sha256=digest,
    )


def train(folder: Path, count: int = 300, **changes: Any) -> Training:
    """Train on so many images and save the model to `folder`."""
    spec, data = checked_recipe(**changes), dataset(count)
    trained = loop.fit(loop.start(spec, seed=1, device=torch.device("cpu")), (data, data.all()), {})
    checkpoints.save(folder, trained.network, trained.optimizer, manifest(spec))
    return trained


def dataset(count: int, seed: int = 0) -> Dataset:
    """So many images and labels as tensors."""
    images, labels = digits(count, seed)
    return Dataset(torch.from_numpy(images), torch.from_numpy(labels))

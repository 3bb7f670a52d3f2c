"""From published files to checked IDX files, and what there is to know about the data."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of, write_json
from mnist_pipeline.core.params import DIGITS, Data, DataFile, Split
from mnist_pipeline.data import dataset, idx


def verify(data: Data, raw: Path) -> dict[str, dict[str, Any]]:
    """Unpack the four files into `data/idx`, all or none, each checked (PipelineError); digests and shape by role."""
    checked = {}
    try:
        for (role, file), target in zip(data.files, paths.IDX_FILES, strict=True):
            count = data.training if role.startswith("training") else data.test
            shape = (count, idx.SIZE, idx.SIZE) if role.endswith("images") else (count,)
            checked[role] = _check(raw / file.file, file, target, shape)
            if role.endswith("labels"):
                _check_labels(raw / file.file, idx.read(target), data.classes)
            elif data.transposed:  # turned here and once, so that all that reads data/idx sees them upright
                idx.transpose(target)
                checked[role]["upright_sha256"] = sha256_of(target)
        paths.CLASSES.unlink(missing_ok=True)
        if data.classes != DIGITS:
            write_json(paths.CLASSES, data.classes)
    except PipelineError:
        shutil.rmtree(paths.IDX, ignore_errors=True)
        raise
    return checked


def _check(packed: Path, file: DataFile, target: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    if not packed.exists():
        raise PipelineError(f"{packed}: not found; run `dvc repro download` first")
    sha256 = sha256_of(packed)
    _compare(packed, "digest", file.sha256, sha256)
    idx_sha256 = idx.unpack(packed, target, shape)
    _compare(packed, "digest of the decompressed file", file.idx_sha256, idx_sha256)
    return {"sha256": sha256, "idx_sha256": idx_sha256, "shape": list(shape)}


def _check_labels(packed: Path, labels: idx.Bytes, classes: list[str]) -> None:
    if labels.max() >= len(classes):
        index = int(np.argmax(labels >= len(classes)))
        raise PipelineError(
            f"{packed}: label of image {index}: expected 0–{len(classes) - 1}, found {labels[index]}; params.yaml has "
            f"{len(classes)} names under data.classes, the first for label 0: name every class, or correct the file"
        )


def _compare(path: Path, name: str, expected: str | None, found: str) -> None:
    if expected not in (None, found):
        raise PipelineError(f"{path}: {name} (SHA-256): expected {expected}, found {found}")


def summary(data: Data, spec: Split, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What goes into metrics/data.json: files, the three splits, mean and deviation of the training files' pixels."""
    published = dataset.training_set()
    labels = published.labels.numpy()
    training, validation = dataset.split(labels, spec)
    mean, deviation = pixel_moments(published.pixels)
    return {
        "name": data.name,
        **({} if data.classes == DIGITS else {"classes": data.classes}),
        "files": files,
        "splits": {
            "training": _count(labels[training.numpy()], data) | {"sha256": dataset.digest(training)},
            "validation": _count(labels[validation.numpy()], data) | {"sha256": dataset.digest(validation)},
            "test": _count(dataset.test_set().labels.numpy(), data),
        },
        "pixel_mean": mean,
        "pixel_std": deviation,
    }


def _count(labels: idx.Bytes, data: Data) -> dict[str, Any]:
    return {"images": len(labels), "labels": np.bincount(labels, minlength=len(data.classes)).tolist()}


def pixel_moments(pixels: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of all pixels (0–1), exact: from how often each of the 256 values occurs."""
    counts, values = torch.bincount(pixels.flatten(), minlength=256).numpy(), np.arange(256) / 255
    mean = float(counts @ values / counts.sum())
    return mean, float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))

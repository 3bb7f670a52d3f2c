"""From published files to checked IDX files, and what there is to know about the data."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.core.params import Data, DataFile, Split
from mnist_pipeline.data import dataset, idx

PIXELS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Checked:
    """One file after its checks: the values, memory-mapped, and the digests found."""

    values: idx.Bytes
    sha256: str
    idx_sha256: str

    def summary(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "idx_sha256": self.idx_sha256, "shape": list(self.values.shape)}


def verify(data: Data, raw: Path) -> dict[str, Checked]:
    """Decompress the four files into `data/idx` and check all that the format and params.yaml promise.

    Raises PipelineError that names the file, the field, what was expected and what was found; nothing is left then.
    """
    paths.IDX.mkdir(parents=True, exist_ok=True)
    try:
        return _verify(data, raw)
    except PipelineError:
        shutil.rmtree(paths.IDX)
        raise


def _verify(data: Data, raw: Path) -> dict[str, Checked]:
    files, image = data.files, (idx.SIZE, idx.SIZE)
    checked = {
        "training_images": _check(raw, files.training_images, paths.TRAINING_IMAGES, (data.training, *image)),
        "training_labels": _check(raw, files.training_labels, paths.TRAINING_LABELS, (data.training,)),
        "test_images": _check(raw, files.test_images, paths.TEST_IMAGES, (data.test, *image)),
        "test_labels": _check(raw, files.test_labels, paths.TEST_LABELS, (data.test,)),
    }
    idx.check_labels(raw / files.training_labels.file, checked["training_labels"].values)
    idx.check_labels(raw / files.test_labels.file, checked["test_labels"].values)
    return checked


def _check(raw: Path, file: DataFile, target: Path, shape: tuple[int, ...]) -> Checked:
    packed = raw / file.file
    if not packed.exists():
        raise PipelineError(f"{packed}: not found; run `dvc repro download` first")
    sha256 = sha256_of(packed)
    _compare(packed, "digest", file.sha256, sha256)
    idx_sha256 = idx.unpack(packed, target, shape)
    _compare(packed, "digest of the decompressed file", file.idx_sha256, idx_sha256)
    return Checked(idx.read(target), sha256, idx_sha256)


def _compare(path: Path, name: str, expected: str | None, found: str) -> None:
    if expected is not None and expected != found:
        raise PipelineError(f"{path}: {name} (SHA-256): expected {expected}, found {found}")


def summary(data: Data, spec: Split, checked: dict[str, Checked]) -> dict[str, Any]:
    """What goes into metrics/data.json: files, the three splits, mean and deviation of the training files' pixels."""
    labels, test = checked["training_labels"].values, checked["test_labels"].values
    training, validation = dataset.split(labels, spec)
    mean, deviation = pixel_moments(checked["training_images"].values)
    return {
        "name": data.name,
        "files": {name: file.summary() for name, file in checked.items()},
        "splits": {
            "training": _count(labels[training.numpy()]) | {"sha256": dataset.digest(training)},
            "validation": _count(labels[validation.numpy()]) | {"sha256": dataset.digest(validation)},
            "test": _count(test),
        },
        "pixel_mean": mean,
        "pixel_std": deviation,
    }


def _count(labels: idx.Bytes) -> dict[str, Any]:
    return {"images": len(labels), "labels": np.bincount(labels, minlength=idx.CLASSES).tolist()}


def pixel_moments(images: idx.Bytes) -> tuple[float, float]:
    """Mean and standard deviation of all pixels (0–1), exact: from how often each of the 256 values occurs."""
    counts: npt.NDArray[np.int64] = np.zeros(256, dtype=np.int64)
    flat = images.reshape(-1)
    for start in range(0, flat.size, PIXELS_AT_ONCE):
        counts += np.bincount(flat[start : start + PIXELS_AT_ONCE], minlength=256)
    values = np.arange(256) / 255
    mean = float(counts @ values / flat.size)
    return mean, float(np.sqrt(counts @ (values - mean) ** 2 / flat.size))

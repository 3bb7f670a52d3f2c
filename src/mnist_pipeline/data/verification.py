"""From published files to checked IDX files, and what there is to know about the data."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.core.params import Data, DataFile, Split
from mnist_pipeline.data import dataset, idx

PIXELS_AT_ONCE = 1 << 24


class Checked(NamedTuple):
    """One file after its checks: the values, memory-mapped, and the digests found."""

    values: idx.Bytes
    sha256: str
    idx_sha256: str


def verify(data: Data, raw: Path) -> dict[str, Checked]:
    """Decompress the four files into `data/idx` and check all that the format and params.yaml promise.

    Raises PipelineError that names the file, the field, what was expected and what was found; nothing is left then.
    """
    try:
        return {
            role: _check(raw / file.file, file, target, _shape(data, role))
            for (role, file), target in zip(data.files, paths.IDX_FILES, strict=True)
        }
    except PipelineError:
        shutil.rmtree(paths.IDX, ignore_errors=True)
        raise


def _shape(data: Data, role: str) -> tuple[int, ...]:
    count = data.training if role.startswith("training") else data.test
    return (count, idx.SIZE, idx.SIZE) if role.endswith("images") else (count,)


def _check(packed: Path, file: DataFile, target: Path, shape: tuple[int, ...]) -> Checked:
    if not packed.exists():
        raise PipelineError(f"{packed}: not found; run `dvc repro download` first")
    sha256 = sha256_of(packed)
    _compare(packed, "digest", file.sha256, sha256)
    idx_sha256 = idx.unpack(packed, target, shape)
    _compare(packed, "digest of the decompressed file", file.idx_sha256, idx_sha256)
    values = idx.read(target)
    if len(shape) == 1:
        idx.check_labels(packed, values)
    return Checked(values, sha256, idx_sha256)


def _compare(path: Path, name: str, expected: str | None, found: str) -> None:
    if expected not in (None, found):
        raise PipelineError(f"{path}: {name} (SHA-256): expected {expected}, found {found}")


def summary(data: Data, spec: Split, checked: dict[str, Checked]) -> dict[str, Any]:
    """What goes into metrics/data.json: files, the three splits, mean and deviation of the training files' pixels."""
    labels, test = checked["training_labels"].values, checked["test_labels"].values
    training, validation = dataset.split(labels, spec)
    mean, deviation = pixel_moments(checked["training_images"].values)
    return {
        "name": data.name,
        "files": {
            role: {"sha256": file.sha256, "idx_sha256": file.idx_sha256, "shape": list(file.values.shape)}
            for role, file in checked.items()
        },
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

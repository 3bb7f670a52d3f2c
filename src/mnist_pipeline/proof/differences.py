"""In what two files differ, in words: weights by their values, JSON by its keys; of others only that they differ."""

import json
from contextlib import suppress
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from mnist_pipeline.core.tables import flat

SHOWN = 10  # keys or tensors in one sentence
Array = npt.NDArray[Any]


def describe(path: str, before: bytes, after: bytes) -> str:
    """What changed from one content to the other, by the ending of the path; empty when nothing did."""
    if before == after:
        return ""
    said: list[str] = []
    with suppress(ValueError, RecursionError, SafetensorError):  # one of them is not of the kind that its name says
        if PurePath(path).suffix == ".safetensors":
            said = _in_weights(load(before), load(after))
        elif PurePath(path).suffix == ".json":
            said = _in_figures(*(flat(json.loads(content), lists=True) for content in (before, after)))
    more = [f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return "; ".join(said[:SHOWN] + more) or "differs"


def _in_weights(before: dict[str, Array], after: dict[str, Array]) -> list[str]:
    forms = {name: (_form(before.get(name)), _form(after.get(name))) for name in before | after}
    said = [f"{name}: {new} instead of {old}" for name, (old, new) in forms.items() if old != new]
    distances = {name: _distance(before[name], after[name]) for name, (old, new) in forms.items() if old == new}
    values = sum(int(np.count_nonzero(distance)) for distance in distances.values())
    if values:
        largest, name = max((float(distance.max(initial=0.0)), name) for name, distance in distances.items())
        total = sum(distance.size for distance in distances.values())
        said.append(f"{values} of {total} values, by at most {largest:.3g} (in {name})")
    return said


def _form(array: Array | None) -> str:
    return "nothing" if array is None else f"{array.dtype} {array.shape}"


def _distance(before: Array, after: Array) -> Array:
    """Absolute differences; infinite where only one of the two is a number."""
    alike = (before == after) | ((before != before) & (after != after))
    distance = np.abs(before.astype(np.float64) - after.astype(np.float64))
    return np.where(alike, 0.0, np.where(np.isnan(distance), np.inf, distance))


def _in_figures(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    said = []
    for key in before | after:
        old, new = (repr(side[key]) if key in side else "nothing" for side in (before, after))
        if old != new:
            numbers = all(type(side.get(key)) in (int, float) for side in (before, after))
            said.append(f"{key}: {new} instead of {old}{f' ({after[key] - before[key]:+.3g})' if numbers else ''}")
    return said

"""In what two files of the same kind differ, in words: weights and arrays, figures, else bytes."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

SHOWN = 10  # keys or tensors in one sentence
Array = npt.NDArray[Any]
Arrays = dict[str, Array]


def describe(path: str, before: bytes, after: bytes) -> str:
    """What changed from one content to the other, by the ending of the path; empty when nothing did."""
    if before == after:
        return ""
    try:
        said = KINDS.get(PurePath(path).suffix, _in_bytes)(before, after)
    except (ValueError, OSError, EOFError, SafetensorError):  # one of them is not of the kind that its name says
        said = _in_bytes(before, after)
    return said or f"the same content, written otherwise: {_in_bytes(before, after)}"


def _in_arrays(before: Arrays, after: Arrays) -> str:
    forms = {name: (_form(before.get(name)), _form(after.get(name))) for name in before | after}
    said = [f"{name}: {new} instead of {old}" for name, (old, new) in forms.items() if old != new]
    distances = {name: _distance(before[name], after[name]) for name, (old, new) in forms.items() if old == new}
    values = sum(int(np.count_nonzero(distance)) for distance in distances.values())
    if values:
        largest, name = max((float(distance.max(initial=0.0)), name) for name, distance in distances.items())
        total = sum(distance.size for distance in distances.values())
        said.append(f"{values} of {total} values, by at most {largest:.3g}" + (f" (in {name})" if name else ""))
    return _listed(said)


def _form(array: Array | None) -> str:
    return "nothing" if array is None else f"{array.dtype} {array.shape}"


def _distance(before: Array, after: Array) -> Array:
    """Absolute differences; infinite where only one of the two is a number."""
    alike = (before == after) | ((before != before) & (after != after))
    distance = np.abs(before.astype(np.float64) - after.astype(np.float64))
    return np.where(alike, 0.0, np.where(np.isnan(distance), np.inf, distance))


def _in_weights(before: bytes, after: bytes) -> str:
    return _in_arrays(load_tensors(before), load_tensors(after))


def _in_array(before: bytes, after: bytes) -> str:
    old, new = (np.load(io.BytesIO(content)) for content in (before, after))
    return _in_arrays({"": old}, {"": new})


def _in_figures(before: bytes, after: bytes) -> str:
    old, new = dict(leaves(json.loads(before))), dict(leaves(json.loads(after)))
    return _listed([_figure(key, old, new) for key in old | new if _shown(key, old) != _shown(key, new)])


def leaves(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested mappings and lists, by its keys joined with dots."""
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else None
    if parts is None:
        yield name, content
    else:
        for key, part in parts:
            yield from leaves(part, f"{name}.{key}".removeprefix("."))


def _figure(key: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    numbers = all(type(side.get(key)) in (int, float) for side in (new, old))
    by = f" ({new[key] - old[key]:+.3g})" if numbers else ""
    return f"{key}: {_shown(key, new)} instead of {_shown(key, old)}{by}"


def _shown(key: str, values: dict[str, Any]) -> str:
    return repr(values[key]) if key in values else "nothing"


def _in_bytes(before: bytes, after: bytes) -> str:
    if len(before) != len(after):
        return f"{len(after)} bytes instead of {len(before)}"
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    return f"{len(changed)} of {len(before)} bytes, the first at {changed[0]}"


def _listed(said: list[str]) -> str:
    more = [f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return "; ".join(said[:SHOWN] + more)


KINDS: dict[str, Callable[[bytes, bytes], str]] = {".safetensors": _in_weights, ".npy": _in_array, ".json": _in_figures}

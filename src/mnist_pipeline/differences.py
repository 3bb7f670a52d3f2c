"""In what two files of the same kind differ, in words: weights, figures, tables, arrays, pictures, text."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

SHOWN = 10  # keys, columns or tensors in one sentence
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


def largest(before: Arrays, after: Arrays) -> tuple[float, str]:
    """The largest absolute difference between arrays of the same name and shape, and in which array it is."""
    pairs = [(name, array, after[name]) for name, array in before.items() if _form(array) == _form(after.get(name))]
    return max(((float(_distance(old, new).max(initial=0.0)), name) for name, old, new in pairs), default=(0.0, ""))


def _distance(before: Array, after: Array) -> Array:
    """Absolute differences; infinite where only one of the two is a number."""
    alike = (before == after) | ((before != before) & (after != after))
    distance = np.abs(before.astype(np.float64) - after.astype(np.float64))
    return np.where(alike, 0.0, np.where(np.isnan(distance), np.inf, distance))


def _form(array: Array | None) -> str:
    return "nothing" if array is None else f"{array.dtype} {array.shape}"


def _in_arrays(before: Arrays, after: Arrays) -> str:
    forms = {name: (_form(before.get(name)), _form(after.get(name))) for name in before | after}
    said = [f"{name}: {new} instead of {old}" for name, (old, new) in forms.items() if old != new]
    common = [name for name, (old, new) in forms.items() if old == new]
    values = sum(int(np.count_nonzero(_distance(before[name], after[name]))) for name in common)
    if values:
        distance, name = largest(before, after)
        total = sum(before[name].size for name in common)
        said.append(f"{values} of {total} values, by at most {distance:.3g}" + (f" (in {name})" if name else ""))
    return _listed(said)


def _in_weights(before: bytes, after: bytes) -> str:
    return _in_arrays(load_tensors(before), load_tensors(after))


def _in_array(before: bytes, after: bytes) -> str:
    old, new = (np.load(io.BytesIO(content)) for content in (before, after))
    return _in_arrays({"": old}, {"": new})


def _in_picture(before: bytes, after: bytes) -> str:
    old, new = (np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")) for content in (before, after))
    if old.shape != new.shape:
        return f"{new.shape[1]} × {new.shape[0]} pixels instead of {old.shape[1]} × {old.shape[0]}"
    distance = _distance(old, new).max(axis=2)
    count = int(np.count_nonzero(distance))
    return f"{count} of {distance.size} pixels, by at most {distance.max():.0f} of 255" if count else ""


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


def _in_table(before: bytes, after: bytes) -> str:
    old, new = (pd.read_csv(io.BytesIO(content)) for content in (before, after))
    if list(old.columns) != list(new.columns) or len(old) != len(new):
        return f"{_size(new)} instead of {_size(old)}"
    return _listed(
        [said for name in old.columns if (said := _in_column(name, old[name].to_numpy(), new[name].to_numpy()))]
    )


def _size(table: pd.DataFrame) -> str:
    return f"{len(table)} rows with columns {', '.join(table.columns)}"


def _in_column(name: str, old: Array, new: Array) -> str:
    if "f" in (old.dtype.kind, new.dtype.kind) and old.dtype.kind in "if" and new.dtype.kind in "if":
        distance = _distance(old, new)
        count, by = int(np.count_nonzero(distance)), f" by at most {distance.max(initial=0.0):.3g}"
    else:
        count, by = sum(one != other for one, other in zip(old.tolist(), new.tolist(), strict=True)), ""
    return f"{name} in {count} of {len(old)} rows{by}" if count else ""


def _in_text(before: bytes, after: bytes) -> str:
    old, new = before.decode().splitlines(), after.decode().splitlines()
    changed = [number for number, (one, other) in enumerate(zip(old, new, strict=False), 1) if one != other]
    said = [f"line {number}: {new[number - 1]!r} instead of {old[number - 1]!r}" for number in changed]
    return _listed(said + ([f"{len(new)} lines instead of {len(old)}"] if len(old) != len(new) else []))


def _in_bytes(before: bytes, after: bytes) -> str:
    if len(before) != len(after):
        return f"{len(after)} bytes instead of {len(before)}"
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    return f"{len(changed)} of {len(before)} bytes, the first at {changed[0]}"


def _listed(said: list[str]) -> str:
    more = [f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return "; ".join([*said[:SHOWN], *more])


KINDS: dict[str, Callable[[bytes, bytes], str]] = {
    ".safetensors": _in_weights,
    ".npy": _in_array,
    ".png": _in_picture,
    ".json": _in_figures,
    ".csv": _in_table,
    ".md": _in_text,
}

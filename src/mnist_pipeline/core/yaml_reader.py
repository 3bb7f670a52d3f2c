"""YAML 1.2 as DVC reads it, by the same reader (`1e-3` is a number); an error is one line that names the place."""

import difflib
import reprlib
import warnings
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError, YAMLWarning

from mnist_pipeline.core.errors import PipelineError

REFUSALS = (ValueError, LookupError, ArithmeticError, TypeError, AttributeError)  # what ruamel's reader raises
LONGEST_INTEGER = 63  # bits; Python refuses to print much longer ones, and torch to take them
_SHOWN = reprlib.Repr()  # values as Python writes them, but no longer than an error should be, however large they are
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 3, 100, 400


class _Constructor(SafeConstructor):
    """Of what has no value (`!!int x`, the month 13) or too large a one: its text and why, which no model takes."""

    def construct_non_recursive_object(self, node: Any, tag: str | None = None) -> Any:
        try:
            value = super().construct_non_recursive_object(node, tag)
        except REFUSALS as error:
            return str(node.value), str(error)
        too_long = isinstance(value, int) and value.bit_length() > LONGEST_INTEGER
        return (str(node.value), f"more than {LONGEST_INTEGER} bits") if too_long else value


def read(path: Path) -> Any:
    """What a YAML file holds. Raises PipelineError when it can't be read, or is not YAML of one meaning."""
    try:
        return parse(path.read_text(encoding="utf-8"), _Constructor)  # as DVC opens it
    except FileNotFoundError:
        raise PipelineError(f"{path}: not found in {Path.cwd()}; run this from the repository's root") from None
    except OSError as error:
        advice = "expected a file that may be read; check its rights"
        raise PipelineError(f"{path}: can't be read: {error.strerror}; {advice}") from None
    except ValueError as error:
        raise PipelineError(f"{path}: not valid YAML: {error}") from None


def parse(text: str, constructor: type[SafeConstructor] = SafeConstructor) -> Any:
    """What YAML says. Raises ValueError, in one line, when it is not YAML of one meaning."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = constructor
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", YAMLWarning)  # an anchor given twice, a number that YAML 1.1 reads as text
            return yaml.load(text)
    except (*REFUSALS, YAMLError, YAMLWarning, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def explain(error: ValidationError, content: Any, known: Collection[str]) -> str:
    """A clause for each key of `content` that a model refused; `known` are the keys that there are anywhere."""
    return "; ".join(_clause(one, _key(one, content), known) for one in error.errors())


def _clause(error: Any, key: str, known: Collection[str]) -> str:
    found, kind = error["input"], error["type"]
    if kind.startswith("union_tag"):  # which of several models it is, a key inside says
        name = error["ctx"]["discriminator"].strip("'")
        found, key = found.get(name), f"{key}.{name}"
    if kind == "extra_forbidden":
        name = str(error["loc"][-1])
        close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
        advice = f"did you mean {close[0]}?" if close else "remove it"
        if name in known:
            advice = "a key of this name belongs elsewhere"
        return f"unknown key {key} (value {_SHOWN.repr(found)}); {advice}"
    if kind in ("missing", "union_tag_not_found"):
        return f"key {key} is missing"
    return f"{key}: found {_SHOWN.repr(found)}, expected: {error['msg']}"


def _key(error: Any, content: Any) -> str:
    """The key as it stands in the file, without what pydantic adds to it: which of several types it tried."""
    way, parts = list(error["loc"]), []
    marked = way[-1:] == ["[key]"]
    if marked or error["type"] == "invalid_key":  # what is wrong is the key, which may be no text
        way = [*way[: -1 - marked], error["input"]]
    for part in way:
        with suppress(LookupError, TypeError):
            content = content[part]
            parts.append(part)
    if error["type"] == "missing":
        parts.append(way[-1])
    return ".".join(_plain(str(part)) for part in parts) or "the file"


def _plain(part: str) -> str:
    """One part of a key; in quotation marks where it would not be seen or taken for several."""
    return part if part.isprintable() and part.strip() == part != "" and "." not in part else repr(part)

"""YAML that people write, read as DVC reads it; whatever stands in it, an error is one line that names the place.

That is YAML 1.2 (`1e-3` is a number, `no` is a word) by the same reader, so that both see the same values.
"""

import difflib
import reprlib
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError, YAMLWarning

from mnist_pipeline.core.errors import PipelineError

LONGEST_INTEGER = 63  # bits; Python refuses to print much longer ones, and torch to take them
_SHOWN = reprlib.Repr()  # values as Python writes them, but no longer than an error should be, however large they are
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 3, 100, 400


class Unreadable:
    """A value that is none: `!!int x`, the month 13. In its place, so that the error can name the key."""

    def __init__(self, text: str, reason: str) -> None:
        self.text, self.reason = text, reason

    def __repr__(self) -> str:
        return f"{_SHOWN.repr(self.text)} ({self.reason})"


class _Constructor(SafeConstructor):
    def construct_non_recursive_object(self, node: Any, tag: str | None = None) -> Any:
        try:
            value = super().construct_non_recursive_object(node, tag)
        except (ValueError, LookupError, ArithmeticError, TypeError, AttributeError) as error:  # of ruamel's parsers
            return Unreadable(str(node.value), " ".join(str(error).split()))
        if isinstance(value, int) and value.bit_length() > LONGEST_INTEGER:
            return Unreadable(str(node.value), f"more than {LONGEST_INTEGER} bits")
        return value


def read(path: Path) -> Any:
    """What a YAML file holds. Raises PipelineError when it can't be read, or is not YAML of one meaning."""
    try:
        return parse(path.read_text(encoding="utf-8"), _Constructor)  # as DVC opens it
    except FileNotFoundError:
        raise PipelineError(f"{path}: not found in {Path.cwd()}; run this from the repository's root") from None
    except OSError as error:
        raise PipelineError(
            f"{path}: can't be read: {error.strerror}; expected a file that may be read; check its rights"
        ) from None
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
    except (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, YAMLError, YAMLWarning) as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def explain(error: ValidationError, content: Any, known: Collection[str]) -> str:
    """A clause for each key of `content` that a model refused; `known` are the keys that there are anywhere."""
    return "; ".join(_clause(one, _key(one, content), known) for one in error.errors())


def _clause(error: Any, key: str, known: Collection[str]) -> str:
    if error["type"].startswith("union_tag"):  # which of several models it is, a key inside says
        name, found = error["ctx"]["discriminator"].strip("'"), error["input"]
        if not isinstance(found, dict):
            return f"{key}: found {_SHOWN.repr(found)}, expected: a mapping with the key {name}"
        error, key = error | {"input": found.get(name)}, f"{key}.{name}"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key} (value {_SHOWN.repr(error['input'])}){_nearest(str(error['loc'][-1]), known)}"
    if error["type"] in ("missing", "union_tag_not_found"):
        return f"key {key} is missing"
    return f"{key}: found {_SHOWN.repr(error['input'])}, expected: {error['msg']}"


def _key(error: Any, content: Any) -> str:
    """The key as it stands in the file, without what pydantic adds to it: which of several types it tried."""
    way, key = list(error["loc"]), []
    if error["type"] == "invalid_key" or way[-1:] == ["[key]"]:  # what is wrong is the key, which may be no text
        way = [*(way[:-2] if way[-1] == "[key]" else way[:-1]), error["input"]]
    for part in way:
        inside = {str(name): value for name, value in content.items()} if isinstance(content, dict) else {}
        if isinstance(content, list) and isinstance(part, int):
            content = content[part]
        elif str(part) in inside:
            content = inside[str(part)]
        else:
            continue
        key.append(_plain(str(part)))
    if error["type"] == "missing":
        key.append(str(error["loc"][-1]))
    return ".".join(key) or "the file"


def _plain(part: str) -> str:
    """One part of a key; in quotation marks where it would not be seen or taken for several."""
    return part if part.isprintable() and part.strip() == part != "" and "." not in part else repr(part)


def _nearest(key: str, known: Collection[str]) -> str:
    if key in known:
        return "; a key of this name belongs elsewhere"
    close = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; remove it"

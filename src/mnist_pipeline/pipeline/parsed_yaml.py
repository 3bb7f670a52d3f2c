"""What DVC has read or written of YAML, kept: it parses params.yaml ten times a stage, and dvc.lock to add to it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from typing import Any, TextIO

import dvc.utils.serialize._yaml as dvc_yaml

TEXTS = 8


@contextmanager
def kept() -> Iterator[None]:
    """Inside, DVC parses a text again only if it is none of the last eight; what it gets is its own to change. To add
    to what it wrote last, it gets that itself, with what it knew of its lines."""
    parse, dump = dvc_yaml.parse_yaml, dvc_yaml._dump
    known = lru_cache(TEXTS)(parse)
    written: dict[str, Any] = {}  # the last text

    def parsed(text: str, path: str, typ: str = "safe") -> Any:
        if typ == "safe":
            return deepcopy(known(text, path))
        return written.pop(text, None) or parse(text, path, typ)

    def dumped(data: Any, stream: TextIO) -> None:
        text = io.StringIO()
        dump(data, text)
        stream.write(text.getvalue())
        written.clear()
        written[text.getvalue()] = data

    dvc_yaml.parse_yaml, dvc_yaml._dump = parsed, dumped
    try:
        yield
    finally:
        dvc_yaml.parse_yaml, dvc_yaml._dump = parse, dump

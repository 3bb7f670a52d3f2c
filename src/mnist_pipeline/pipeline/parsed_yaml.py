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
    """Inside, DVC parses a text again only if it is none of the last eight; what it gets is its own to change. When it
    opens for change the very text that it wrote after the last change, it gets the object that it wrote, unparsed."""
    parse, dump = dvc_yaml.parse_yaml, dvc_yaml._dump
    known = lru_cache(TEXTS)(parse)
    lent: Any = None
    written: dict[str, Any] = {}  # the last text, and what it was written from

    def parsed(text: str, path: str, typ: str = "safe") -> Any:
        nonlocal lent
        if typ == "safe":
            return deepcopy(known(text, path))
        lent = written.pop(text, None) or parse(text, path, typ)
        return lent

    def dumped(data: Any, stream: TextIO) -> None:
        text = io.StringIO()
        dump(data, text)
        stream.write(text.getvalue())
        if data is lent:  # no entry of the run cache
            written.clear()
            written[text.getvalue()] = data

    dvc_yaml.parse_yaml, dvc_yaml._dump = parsed, dumped
    try:
        yield
    finally:
        dvc_yaml.parse_yaml, dvc_yaml._dump = parse, dump

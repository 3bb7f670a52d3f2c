"""What DVC has read of YAML, kept: it parses params.yaml some ten times a stage, in Python, which is slow."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from typing import Any

import dvc.utils.serialize._yaml as dvc_yaml

TEXTS = 8


@contextmanager
def kept() -> Iterator[None]:
    """Inside, DVC parses a text again only if it is none of the last eight; what it gets is its own to change."""
    parse = dvc_yaml.parse_yaml
    known = lru_cache(TEXTS)(parse)

    def parsed(text: str, path: str, typ: str = "safe") -> Any:
        return deepcopy(known(text, path)) if typ == "safe" else parse(text, path, typ)

    dvc_yaml.parse_yaml = parsed
    try:
        yield
    finally:
        dvc_yaml.parse_yaml = parse

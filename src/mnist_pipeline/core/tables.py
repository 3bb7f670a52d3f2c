"""Nested mappings as flat rows; rows as a table, for a terminal or as Markdown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

ABSENT = "–"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # what a terminal would obey; a cell may have several lines
NUMBER = re.compile(r"[+-]?[\d,]*\.?\d+(e[+-]?\d+)?%?")  # such as 3, +0.12, 98.1% and 1,200


def flat(content: Any, prefix: str = "", *, lists: bool = False) -> dict[str, Any]:
    """Nested mappings, with `lists` also lists, as one, keys joined by dots; all else is a value, as an empty one."""
    parts = dict(enumerate(content)) if lists and isinstance(content, list) else content
    if not isinstance(parts, dict) or not parts:
        return {prefix: content} if prefix else {}
    joined = {f"{prefix}.{key}" if prefix else str(key): value for key, value in parts.items()}
    return {key: value for name, inner in joined.items() for key, value in flat(inner, name, lists=lists).items()}


def markdown(rows: Sequence[Mapping[Any, Any]]) -> str:
    """Rows with the same keys as a Markdown table, like `text`."""
    return text(rows, "pipe")


def text(rows: Sequence[Mapping[Any, Any]], form: str = "plain") -> str:
    """Rows with the same keys under a head, in one of tabulate's forms; None is a dash. An empty text without rows."""
    if not rows:
        return ""
    cells = [[ABSENT if value is None else CONTROL.sub("?", str(value)) for value in row.values()] for row in rows]
    sides = ["right" if all(NUMBER.fullmatch(str(row[name] or 0)) for row in rows) else "left" for name in rows[0]]
    drawn = tabulate(cells, list(rows[0]), form, colalign=sides, disable_numparse=True)  # a digest may look like 1e5
    return "\n".join(line.rstrip() for line in drawn.splitlines())

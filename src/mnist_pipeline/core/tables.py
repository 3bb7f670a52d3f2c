"""Nested mappings as flat rows; rows as a table, for a terminal or as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

ABSENT = "–"


def flat(content: Any, prefix: str = "", *, lists: bool = False) -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots; with `lists` those in lists too, whose keys are their indices.

    Anything else is a value, also an empty mapping; what is no mapping at the top gives no keys.
    """
    parts = dict(enumerate(content)) if lists and isinstance(content, list) else content
    if not isinstance(parts, dict) or not parts:
        return {prefix: content} if prefix else {}
    joined = {f"{prefix}.{key}" if prefix else str(key): value for key, value in parts.items()}
    return {key: value for name, inner in joined.items() for key, value in flat(inner, name, lists=lists).items()}


def markdown(rows: Sequence[Mapping[Any, Any]]) -> str:
    """Rows with the same keys as a Markdown table, like `text`."""
    return text(rows, "pipe")


def text(rows: Sequence[Mapping[Any, Any]], form: str = "plain") -> str:
    """Rows with the same keys under a head, a line each; what is None is a dash. An empty text without rows.

    `form` is one of tabulate's formats.
    """
    if not rows:
        return ""
    cells = [[ABSENT if value is None else str(value) for value in row.values()] for row in rows]
    columns = [[row[name] for row in rows] for name in rows[0]]
    sides = ["right" if all(map(_is_number, column)) else "left" for column in columns]
    drawn = tabulate(cells, list(rows[0]), form, colalign=sides, disable_numparse=True)  # a digest may look like 1e5
    return "\n".join(line.rstrip() for line in drawn.splitlines())


def _is_number(value: Any) -> bool:
    """Numbers, and texts such as `+0.12`, `98.1%` and `1,200`; where none is, too."""
    try:
        float(str(value or 0).replace(",", "").removesuffix("%"))
    except ValueError:
        return False
    return True

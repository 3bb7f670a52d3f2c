"""Rows as a table for a terminal: words to the left, numbers to the right."""

from collections.abc import Sequence
from typing import Any

NONE = "–"


def text(rows: Sequence[dict[str, Any]]) -> str:
    """Rows with the same keys under a head, a line each; what is None is a dash. An empty text without rows."""
    if not rows:
        return ""
    columns = [_column(name, [row[name] for row in rows]) for name in rows[0]]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))


def _column(name: str, values: list[Any]) -> list[str]:
    cells = [name, *(NONE if value is None else str(value) for value in values)]
    width = max(map(len, cells))
    numbers = all(value is None or _is_number(value) for value in values)
    return [cell.rjust(width) if numbers else cell.ljust(width) for cell in cells]


def _is_number(value: Any) -> bool:
    """Numbers, and texts such as `+0.12`, `98.1%` and `1,200`."""
    try:
        float(str(value).replace(",", "").removesuffix("%"))
    except ValueError:
        return False
    return True

"""A comparison to read: as a table for a terminal of 120 columns, as Markdown for a pull request, as JSON."""

import textwrap
from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from mnist_pipeline.compare.comparison import Comparison, Paired, Row
from mnist_pipeline.core.tables import ABSENT

WIDTH = 120
COLUMNS = ("model", "before", "after, 95 % interval", "points", "gained", "lost", "p", "changed in params.yaml")
ALIGNED = ("left", "right", "left", "right", "right", "right", "right", "left")
CHANGES = 40  # columns of the terminal for the last of them
LEGEND = "gained, lost: images that only the second has wrong, only the first; p: exact McNemar test, two-sided"


def table(comparison: Comparison) -> str:
    """The rows, then what holds for all of them, no line longer than 120 columns."""
    if not comparison.differs:
        return _same(comparison)
    cells = [
        [*_figures(row), "\n".join(textwrap.fill(one, CHANGES) for one in _changed(row))] for row in comparison.rows
    ]
    drawn = tabulate(cells, COLUMNS, "simple", colalign=ALIGNED, disable_numparse=True)
    remarks = [textwrap.fill(text, WIDTH, subsequent_indent="  ") for text in (LEGEND, *_remarks(comparison))]
    lines = [f"before: {comparison.before}; after: {comparison.after}", "", *drawn.splitlines(), "", *remarks]
    return "\n".join(line.rstrip() for line in lines)


def markdown(comparison: Comparison) -> str:
    """The same for a pull request."""
    if not comparison.differs:
        return _same(comparison)
    cells = [[*_figures(row), "<br>".join(_changed(row)).replace("|", "\\|")] for row in comparison.rows]
    drawn = tabulate(cells, COLUMNS, "pipe", colalign=ALIGNED, disable_numparse=True)
    remarks = [f"- {remark}" for remark in _remarks(comparison)]
    parts = [f"Before: {comparison.before}; after: {comparison.after}.", drawn, f"{LEGEND}.", "\n".join(remarks)]
    return "\n\n".join(part for part in parts if part)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All figures, unrounded."""
    return {
        "before": asdict(comparison.before),
        "after": asdict(comparison.after),
        "differs": comparison.differs,
        "models": [asdict(row) | {"points": row.points} for row in comparison.rows],
        "shared": [asdict(change) for change in comparison.shared],
        "notes": comparison.notes,
    }


def _same(comparison: Comparison) -> str:
    return (
        f"{comparison.before} and {comparison.after}: nothing differs, in {len(comparison.rows)} models and params.yaml"
    )


def _changed(row: Row) -> list[str]:
    return [row.refusal] if row.before is None or row.after is None else [str(change) for change in row.recipe]


def _figures(row: Row) -> list[str]:
    before = ABSENT if row.before is None else f"{row.before['test_accuracy']:.2%}"
    after = ABSENT if row.after is None else _with_interval(row.after)
    points = ABSENT if row.points is None else f"{row.points:+.2f}"
    return [row.model, before, after, points, *_paired(row.paired)]


def _with_interval(metrics: dict[str, Any]) -> str:
    low, high = metrics["test_accuracy_low"], metrics["test_accuracy_high"]
    return f"{metrics['test_accuracy']:.2%} ({100 * low:.2f} – {100 * high:.2f})"


def _paired(paired: Paired | None) -> list[str]:
    return [ABSENT] * 3 if paired is None else [str(paired.gained), str(paired.lost), f"{paired.p_value:.2g}"]


def _remarks(comparison: Comparison) -> list[str]:
    """What changed for all models, why some are not compared, and what else there is to know."""
    refused: dict[str, list[str]] = {}
    for row in comparison.rows:
        if row.refusal and row.before and row.after:
            refused.setdefault(row.refusal, []).append(row.model)
    for_all = [f"for all models: {change}" for change in comparison.shared]
    return [*for_all, *(f"{', '.join(models)}: {why}" for why, models in refused.items()), *comparison.notes]

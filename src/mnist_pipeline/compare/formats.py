"""A comparison to read: as a table for a terminal of 120 columns, or as Markdown for a pull request."""

import textwrap
from typing import Any

from mnist_pipeline.compare.comparison import Comparison, Row
from mnist_pipeline.core import tables

WIDTH = 120
CHANGES = 40  # columns of the terminal for what changed
LEGEND = (
    "gained, lost: images that only the second has wrong, only the first; p: exact McNemar test, two-sided, corrected "
    "for the number of models (Holm)"
)


def table(comparison: Comparison, markdown: bool = False) -> str:
    """The rows, then what holds for all of them: as Markdown, or with no line longer than 120 columns."""
    before, after, rows = comparison.before, comparison.after, comparison.models
    if not comparison.differs:
        return f"{before} and {after}: nothing differs, in {len(rows)} models and params.yaml"
    remarks = _remarks(comparison)
    if markdown:
        drawn = tables.markdown([_cells(row, "<br>".join(_changed(row)).replace("|", "\\|")) for row in rows])
        listed = "\n".join(f"- {remark}" for remark in remarks)
        return f"Before: {before}; after: {after}.\n\n{drawn}\n\n{LEGEND}.\n\n{listed}".rstrip()
    drawn = tables.text([_cells(row, "\n".join(textwrap.fill(one, CHANGES) for one in _changed(row))) for row in rows])
    wrapped = [textwrap.fill(remark, WIDTH, subsequent_indent="  ") for remark in (LEGEND, *remarks)]
    return "\n".join([f"before: {before}; after: {after}", "", drawn, "", *wrapped])


def _changed(row: Row) -> list[str]:
    return [row.refusal] if row.before is None or row.after is None else [str(change) for change in row.recipe]


def _cells(row: Row, changed: str) -> dict[str, Any]:
    """One line of the table by column; None where there is nothing to say."""
    paired = row.paired
    return {
        "model": row.model,
        "before": row.before and f"{row.before['test_accuracy']:.2%}",
        "after, 95 % interval": row.after and _with_interval(row.after),
        "points": None if row.points is None else f"{row.points:+.2f}",
        "gained": paired and paired["gained"],
        "lost": paired and paired["lost"],
        "p": paired and f"{paired['p_corrected']:.2g}",
        "changed in params.yaml": changed or " ",  # a column of words, also when all are empty
    }


def _with_interval(metrics: dict[str, Any]) -> str:
    low, high = metrics["test_accuracy_low"], metrics["test_accuracy_high"]
    return f"{metrics['test_accuracy']:.2%} ({100 * low:.2f} – {100 * high:.2f})"


def _remarks(comparison: Comparison) -> list[str]:
    """What changed for all models, why some are not compared, and what else there is to know."""
    refused: dict[str, list[str]] = {}
    for row in comparison.models:
        if row.refusal and row.before and row.after:
            refused.setdefault(row.refusal, []).append(row.model)
    for_all = [f"for all models: {change}" for change in comparison.shared]
    return [*for_all, *(f"{', '.join(models)}: {why}" for why, models in refused.items()), *comparison.notes]

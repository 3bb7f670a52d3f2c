"""The plot of all models side by side."""

import itertools
import textwrap
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import SymmetricalLogLocator
from matplotlib.transforms import Bbox

from mnist_pipeline.results.plots.drawing import BLUE, DPI, GREY

if TYPE_CHECKING:
    import pandas as pd

SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))  # of a point: right, up


def draw(table: "pd.DataFrame") -> Figure:
    """Test error with its 95 % interval against parameters; columns as in a model's metrics, the index its name.

    The axis of the error is logarithmic above the smallest value that is not 0, and linear from there to 0.
    """
    figure = Figure(figsize=(8, max(5.0, len(table) / 4)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    percent = (100 * (1 - table.filter(like="test_accuracy"))).round(9)  # the interval of 0 errors may begin at 1e-14
    error, low, high = (percent[f"test_accuracy{end}"] for end in ("", "_high", "_low"))
    points, _, (intervals,) = axes.errorbar(
        table["parameters"], error, yerr=[error - low, high - error], fmt="o", color=BLUE, ecolor=GREY, capsize=4
    )
    smallest = float(percent[percent > 0].min().min())
    axes.set(xscale="log", xlabel="number of parameters", ylabel="test error")
    axes.set_title("Test error and number of parameters of each model; bars: 95 % interval")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_yscale("symlog", linthresh=smallest)
    axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=smallest, subs=[1, 2, 5]))
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.margins(0.15)
    axes.grid(alpha=0.3)
    figure.draw_without_rendering()  # lays the axes out, so that places are known in pixels
    taken = [axes.transData.transform_bbox(Bbox(ends)).padded(8) for ends in intervals.get_segments()]
    for name, point in zip(table.index, points.get_xydata(), strict=True):
        taken.append(_label(axes, str(name), point, taken))
    return figure


def _label(axes: Axes, name: str, point: tuple[float, float], taken: list[Bbox]) -> Bbox:
    """Write a name as near to its point as it covers no box that is taken; returns its own box, in pixels."""
    shown, place = textwrap.fill(name, 24), "offset pixels"
    label = axes.annotate(shown, point, (0, 0), textcoords=place, fontsize=9, ha="center", va="center")
    on_point = label.get_window_extent().padded(2)
    for distance, (right, up) in itertools.product(range(10, 1500, 6), SIDES):
        offset = (right * (distance + on_point.width / 2), up * (distance + on_point.height / 2))
        box = on_point.translated(*offset)
        inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
        if inside and not box.count_overlaps(taken):
            break
    label.set_position(offset)
    if distance > 10:
        end = (right * distance, up * distance)
        axes.annotate("", point, end, textcoords=place, arrowprops={"arrowstyle": "-", "color": GREY})
    return box

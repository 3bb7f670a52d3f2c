"""Plots: data in, a matplotlib Figure out. Nothing here reads a file or knows a path except `save`."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter, SymmetricalLogLocator
from matplotlib.transforms import Bbox

from mnist_pipeline.core.params import DIGITS

if TYPE_CHECKING:
    import pandas as pd

matplotlib.rcdefaults()  # whatever matplotlibrc a user has: the bytes of a picture must not depend on it

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]
Probabilities = npt.NDArray[np.floating]
BLUE, ORANGE, GREEN, RED, GREY = "#2f6db5", "#e08a1e", "#3a8f4d", "#c0392b", "#8a8a8a"
DPI = 110
INK: Any = {"cmap": "gray_r", "vmin": 0, "vmax": 255}
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))  # of a point: right, up


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone (matplotlib would sign it with its version)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(path, metadata={"Software": None})  # `savefig` would draw it one more time


def image_grid(images: Images, columns: int, title: str) -> Figure:
    """Images of shape (n, 28, 28) in rows of `columns`, dark ink on white."""
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(0.55 * columns + 0.4, 0.55 * rows + 0.7), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(_tiled(images, columns), **INK)
    axes.axis("off")
    axes.set_title(title, fontsize=10, y=1)  # here and below: to find a place for it, all ticks would be laid out
    return figure


def _tiled(images: Images, columns: int, above: int = 1, beside: int = 1) -> Images:
    """All as one image, in rows of `columns`, with so many white pixels `above` each and `beside` it, and one below."""
    rows = -(-len(images) // columns)
    tiles = np.pad(images, ((0, rows * columns - len(images)), (above, 1), (beside, beside)))
    height, width = tiles.shape[1:]
    in_rows = tiles.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return in_rows.reshape(rows * height, columns * width)


def _are_long(names: list[str]) -> bool:
    """Whether they need more room than a digit, and on an axis stand upright."""
    return max(map(len, names)) > 3


def label_histogram(counts: dict[str, list[int]], names: list[str] = DIGITS) -> Figure:
    """How often each class occurs in each split, as a share of the split, with the numbers above the bars."""
    figure = Figure(figsize=(max(10, 0.45 * len(names)), 4), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(counts)
    for number, (split, labels) in enumerate(counts.items()):
        places = np.arange(len(labels)) + (number - (len(counts) - 1) / 2) * width
        shares = [label / max(1, sum(labels)) for label in labels]
        bars = axes.bar(places, shares, width, label=f"{split} ({sum(labels):,})", color=(BLUE, ORANGE, GREEN)[number])
        axes.bar_label(bars, labels=[str(label) for label in labels], fontsize=7, rotation=90, padding=3)
    axes.set_xticks(range(len(names)), names, rotation=90 * _are_long(names))
    what = "digit" if names == DIGITS else "class"
    axes.set(xlabel=what, ylabel="share of the split", title="Labels in each split")
    axes.set_ylim(0, max(1.5 / len(names), 1.3 * axes.dataLim.ymax))  # room for the numbers
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(ncols=3, loc="upper right", fontsize=8)
    return figure


def learning_curves(history: Sequence[Mapping[str, float]], model: str) -> Figure:
    """Loss and accuracy against images seen: training, validation, and in studies test."""
    figure = Figure(figsize=(10, 4))  # places by hand: laying out ticks takes as long as drawing all
    loss, accuracy = figure.subplots(
        1, 2, gridspec_kw={"left": 0.1, "right": 0.99, "bottom": 0.12, "top": 0.92, "wspace": 0.24}
    )

    def points(column: str) -> tuple[list[float], list[float]]:
        found = [row for row in history if column in row]
        return [row["images_seen"] for row in found], [row[column] for row in found]

    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        axes.plot(*points(f"batch_{name}"), color=GREY, alpha=0.6, linewidth=1, label="training, a batch")
        axes.plot(*points(f"training_{name}"), "o-", color=BLUE, label="training, an epoch")
        for images, style, colour in (("validation", "s-", ORANGE), ("test", "^-", GREEN)):
            if any(f"{images}_{name}" in row for row in history):
                axes.plot(*points(f"{images}_{name}"), style, color=colour, label=images)
        axes.set(xlabel="images seen", ylabel=name)
        axes.set_title(f"{model}: {name}", y=1)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    loss.set_yscale("log")
    low, high = loss.get_ylim()
    loss.yaxis.set_major_locator(LogLocator(subs=[1, 2, 3, 5] if high < 1e4 * low else [1]))
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_minor_locator(NullLocator())
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def confusion_matrix(counts: npt.NDArray[np.int64], model: str, names: list[str] = DIGITS) -> Figure:
    """Counts (classes, classes), rows the true one; the shade shows the mistakes, the diagonal would drown them."""
    scale = max(1, len(names) / 18)
    figure = Figure(figsize=(6 * scale, 5.6 * scale), layout="constrained")
    axes = figure.add_subplot()
    mistakes = counts.copy()
    np.fill_diagonal(mistakes, 0)
    most = max(1, int(mistakes.max()))
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=most)
    for (row, column), count in np.ndenumerate(counts):
        if not count:
            continue  # so that the others are found
        style = "bold" if row == column else "normal"
        colour = "white" if mistakes[row, column] > 0.6 * most else "black"
        _write(axes, (column, row), str(count), fontsize=8, fontweight=style, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=90 * _are_long(names))
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(f"{model}: {int(mistakes.sum())} errors in {int(counts.sum()):,} test images", fontsize=11, y=1)
    return figure


def prediction_grid(images: Images, labels: Labels, predicted: Labels, model: str, names: list[str] = DIGITS) -> Figure:
    """Images of shape (n, 28, 28) in rows of five, each below its prediction; wrong ones in red with the true class."""
    above, beside = 10, 3
    tiled = _tiled(images, 5, above, beside)
    figure = Figure(figsize=(6, 0.3 + 6 * tiled.shape[0] / tiled.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    axes.imshow(tiled, **INK)
    axes.axis("off")
    axes.set_title(f"{model}: the first {len(images)} test images", fontsize=11, y=1)
    height, width = images.shape[1] + above + 1, tiled.shape[1] // 5
    fontsize, gap = (7, "\n") if _are_long(names) else (10, " ")
    for number, (label, guess) in enumerate(zip(labels, predicted, strict=True)):
        row, column = divmod(number, 5)
        wrong = f"{gap}(is {names[label]})" if label != guess else ""
        place = (column + 0.5) * width - 0.5, row * height + above / 2
        _write(axes, place, f"{names[guess]}{wrong}", fontsize=fontsize, color=RED if wrong else "black")
    return figure


def mistakes(
    images: Images, labels: Labels, probabilities: Probabilities, indices: Labels, model: str, names: list[str] = DIGITS
) -> Figure:
    """Each image, of shape (n, 28, 28), beside the probability of what it was taken for, in red, and is, in green."""
    places = np.arange(len(labels))
    height = 0.6 * max(1, len(labels)) + 0.5  # inches
    figure = Figure(figsize=(8, height))
    axes = figure.add_axes((0.15, 0.1 / height, 0.83, 1 - 0.5 / height))
    axes.set_title(f"{model}: the most confident of its mistakes", fontsize=11, y=1)
    if not len(labels):
        axes.axis("off")
        _write(axes, (0.5, 0.5), "none", fontsize=14)
        return figure
    axes.imshow(_tiled(images, 1), **INK, aspect="auto", extent=(-0.11, -0.01, len(labels) - 0.5, -0.5))
    for below, what, classes, colour in (
        (-0.2, "taken for", probabilities.argmax(axis=1), RED),
        (0.2, "is", labels, GREEN),
    ):
        shares = probabilities[places, classes]
        axes.barh(places + below, shares, 0.36, color=colour, alpha=0.4)
        for place, one, share in zip(places, classes, shares, strict=True):
            _write(axes, (0.01, place + below), f"{what} {names[one]}: {share:.1%}", ha="left", fontsize=9)
    axes.set_yticks(places, [f"test image {index}" for index in indices], fontsize=8)
    axes.set(xlim=(-0.11, 1), xticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _write(axes: Axes, place: tuple[float, float], text: str, ha: str = "center", **style: Any) -> None:
    """Without a say in the layout, which would measure every such text."""
    axes.text(*place, text, ha=ha, va="center", in_layout=False, **style)


def comparison(table: "pd.DataFrame") -> Figure:
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

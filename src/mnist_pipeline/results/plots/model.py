"""Plots of one model: how its training went, and what it made of the test images."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter

from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.results.plots import drawing
from mnist_pipeline.results.plots.drawing import BLUE, GREEN, GREY, INK, ORANGE, RED, Images

Labels = npt.NDArray[np.integer]
Probabilities = npt.NDArray[np.floating]


def learning_curves(history: Sequence[Mapping[str, float]], model: str, label_smoothing: float = 0.0) -> Figure:
    """Loss and accuracy against images seen: training, validation, and in studies test.

    `label_smoothing` is the recipe's: training's loss includes it and the others do not, so that they can't be
    compared.
    """
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
        axes.set_title(f"{model}: {name}", y=1)  # here and below: to find a place, all ticks would be laid out
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    if label_smoothing:
        loss.get_legend().set_title(f"training: labels smoothed by {label_smoothing:g}", prop={"size": 8})
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
        drawing.write(axes, (column, row), str(count), fontsize=8, fontweight=style, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=90 * drawing.are_long(names))
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(f"{model}: {int(mistakes.sum())} errors in {int(counts.sum()):,} test images", fontsize=11, y=1)
    return figure


def prediction_grid(images: Images, labels: Labels, predicted: Labels, model: str, names: list[str] = DIGITS) -> Figure:
    """Images of shape (n, 28, 28) in rows of five, each below its prediction; wrong ones in red with the true class."""
    above, beside = 10, 3
    tiled = drawing.tiled(images, 5, above, beside)
    figure = Figure(figsize=(6, 0.3 + 6 * tiled.shape[0] / tiled.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    axes.imshow(tiled, **INK)
    axes.axis("off")
    key = ", mistakes in red" if np.any(labels != predicted) else ""
    axes.set_title(f"{model}: the first {len(images)} test images{key}", fontsize=11, y=1)
    height, width = images.shape[1] + above + 1, tiled.shape[1] // 5
    fontsize, gap = (7, "\n") if drawing.are_long(names) else (10, " ")
    for number, (label, guess) in enumerate(zip(labels, predicted, strict=True)):
        row, column = divmod(number, 5)
        wrong = f"{gap}(is {names[label]})" if label != guess else ""
        place = (column + 0.5) * width - 0.5, row * height + above / 2
        drawing.write(axes, place, f"{names[guess]}{wrong}", fontsize=fontsize, color=RED if wrong else "black")
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
        drawing.write(axes, (0.5, 0.5), "none", fontsize=14)
        return figure
    axes.imshow(drawing.tiled(images, 1), **INK, aspect="auto", extent=(-0.11, -0.01, len(labels) - 0.5, -0.5))
    for below, what, classes, colour in (
        (-0.2, "taken for", probabilities.argmax(axis=1), RED),
        (0.2, "is", labels, GREEN),
    ):
        shares = probabilities[places, classes]
        axes.barh(places + below, shares, 0.36, color=colour, alpha=0.4)
        for place, one, share in zip(places, classes, shares, strict=True):
            drawing.write(axes, (0.01, place + below), f"{what} {names[one]}: {share:.1%}", ha="left", fontsize=9)
    axes.set_yticks(places, [f"test image {index}" for index in indices], fontsize=8)
    axes.set(xlim=(-0.11, 1), xticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure

"""Plots of the data: its first images, and how often each class occurs."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.results.plots import drawing
from mnist_pipeline.results.plots.drawing import BLUE, GREEN, INK, ORANGE, Images


def image_grid(images: Images, columns: int, title: str) -> Figure:
    """Images of shape (n, 28, 28) in rows of `columns`, dark ink on white."""
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(0.55 * columns + 0.4, 0.55 * rows + 0.7), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(drawing.tiled(images, columns), **INK)
    axes.axis("off")
    axes.set_title(title, fontsize=10, y=1)  # to find a place for it, all ticks would be laid out
    return figure


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
    axes.set_xticks(range(len(names)), names, rotation=90 * drawing.are_long(names))
    what = "digit" if names == DIGITS else "class"
    axes.set(xlabel=what, ylabel="share of the split", title="Labels in each split")
    axes.set_ylim(0, max(1.5 / len(names), 1.3 * axes.dataLim.ymax))  # room for the numbers
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(ncols=3, loc="upper right", fontsize=8)
    return figure

"""How an answer came about, as a picture: the original, what the network sees, and ten probabilities as bars."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mnist_pipeline import figures, idx
from mnist_pipeline.recognising import Answer


def show(answer: Answer, folder: Path) -> Path:
    """Write the picture of an answer into `folder`, named after the file and where it lies; returns where."""
    name = "_".join(part for part in answer.path.parts if part not in (answer.path.anchor, ".", ".."))
    target = folder / (name if name.lower().endswith(".png") else f"{name}.png")
    figures.save(_steps(answer), target)
    return target


def _steps(answer: Answer) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    original, seen, bars = figure.subplots(1, 3, width_ratios=[1, 1, 1.2])
    original.imshow(np.asarray(answer.picture.original))
    original.set_title(answer.path.name, fontsize=10, parse_math=False)
    seen.imshow(answer.picture.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    seen.set_title("what the network sees", fontsize=10)
    for axes in (original, seen):
        axes.axis("off")
    digits = range(idx.CLASSES)
    colours = [figures.BLUE if digit == answer.digit else figures.GREY for digit in digits]
    bars.barh(digits, answer.probabilities, color=colours)
    bars.set(xlim=(0, 1.15), yticks=digits, xticks=[], title=f"{answer.digit}: {max(answer.probabilities):.1%}")
    bars.invert_yaxis()
    bars.spines[["top", "right", "bottom"]].set_visible(False)
    for digit, probability in enumerate(answer.probabilities):
        bars.text(probability + 0.01, digit, f"{probability:.1%}", va="center", fontsize=8)
    return figure

"""How an answer came about, as a picture: the original, what the network sees, and ten probabilities as bars."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mnist_pipeline.data import idx
from mnist_pipeline.pictures.recognition import Answer
from mnist_pipeline.results import plots


def show(answers: list[Answer], folder: Path) -> Iterator[tuple[Path, Path]]:
    """Write a picture for each answer into `folder`, named after the file and where it lies; yields both paths."""
    taken: set[Path] = set()
    for answer in answers:
        name = _name(answer.path)
        target = next(target for target in _targets(folder, name) if target not in taken)
        taken.add(target)
        plots.save(_steps(answer), target)
        yield answer.path, target


def _name(path: Path) -> str:
    joined = "_".join(part for part in path.parts if part not in (path.anchor, ".", ".."))
    return joined[:-4] if joined.lower().endswith(".png") else joined


def _targets(folder: Path, name: str) -> Iterator[Path]:
    """`a/b` and `a_b` would share a name: the second gets a number."""
    yield folder / f"{name}.png"
    for number in itertools.count(2):
        yield folder / f"{name}-{number}.png"


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
    colours = [plots.BLUE if digit == answer.digit else plots.GREY for digit in digits]
    bars.barh(digits, answer.probabilities, color=colours)
    bars.set(xlim=(0, 1.15), yticks=digits, xticks=[], title=f"{answer.digit}: {max(answer.probabilities):.1%}")
    bars.invert_yaxis()
    bars.spines[["top", "right", "bottom"]].set_visible(False)
    for digit, probability in enumerate(answer.probabilities):
        bars.text(probability + 0.01, digit, f"{probability:.1%}", va="center", fontsize=8)
    return figure

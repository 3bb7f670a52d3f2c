"""Explanation of a recognition, as a picture: the original, what the network sees, and probabilities as bars."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pictures.recognition import Recognition
from mnist_pipeline.results.plots import drawing

BARS = 10  # at most


def explain(recognised: list[Recognition], folder: Path) -> Iterator[tuple[str, Path]]:
    """Write each one's steps into `folder`, those of `a/b.jpg` as `a_b.steps.png`, or with a number; yields what was
    recognised and written. Raises PipelineError, before any is written, when a file is in the way."""
    targets: dict[Path, Recognition] = {}
    for one in recognised:
        path = Path(one.name).with_suffix("")
        name = "_".join(part for part in path.parts if part not in (path.anchor, ".."))
        target, number = folder / f"{name}.steps.png", 2
        while target in targets:
            target, number = folder / f"{name}-{number}.steps.png", number + 1
        targets[target] = one
    occupied = [place for place in targets if place.exists()]
    occupied += [place for place in (folder, *folder.parents) if place.exists() and not place.is_dir()]
    if occupied:
        raise PipelineError(f"{occupied[0]}: is there already and is not overwritten; name another folder after --show")
    for target, one in targets.items():
        drawing.save(_steps(one), target)
        yield one.name, target


def likeliest(probabilities: Sequence[float]) -> list[int]:
    """The classes with the largest probabilities, at most `BARS`, in the order of the classes."""
    return sorted(sorted(range(len(probabilities)), key=lambda one: -probabilities[one])[:BARS])


def _steps(one: Recognition) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    original, seen, bars = figure.subplots(1, 3, width_ratios=[1, 1, 1.2])
    original.imshow(np.asarray(one.picture))
    title = Path(one.name).name.encode(errors="backslashreplace").decode()  # names need not be UTF-8
    original.set_title(title, fontsize=10, parse_math=False)
    seen.imshow(one.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    seen.set_title("what the network sees", fontsize=10)
    for axes in (original, seen):
        axes.axis("off")
    shown = likeliest(one.probabilities)
    colours = [drawing.BLUE if label == one.label else drawing.GREY for label in shown]
    shares = [one.probabilities[label] for label in shown]
    bars.bar_label(bars.barh(range(len(shown)), shares, color=colours), fmt="{:.1%}", padding=2, fontsize=8)
    bars.set_yticks(range(len(shown)), [one.classes[label] for label in shown])
    bars.set(xlim=(0, 1.15), xticks=[], title=f"{one.classes[one.label]}: {max(one.probabilities):.1%}")
    bars.invert_yaxis()
    bars.spines[["top", "right", "bottom"]].set_visible(False)
    return figure

"""What all plots share: colours, how images and texts are put in, and how a picture is written."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

matplotlib.rcdefaults()  # whatever matplotlibrc a user has: the bytes of a picture must not depend on it

Images = npt.NDArray[np.uint8]
BLUE, ORANGE, GREEN, RED, GREY = "#2f6db5", "#e08a1e", "#3a8f4d", "#c0392b", "#8a8a8a"
DPI = 110
INK: Any = {"cmap": "gray_r", "vmin": 0, "vmax": 255}


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone (matplotlib would sign it with its version)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(path, metadata={"Software": None})  # `savefig` would draw it one more time


def tiled(images: Images, columns: int, above: int = 1, beside: int = 1) -> Images:
    """Images as one, in rows of `columns`, with so many white pixels `above` each and `beside` it, and one below."""
    rows = -(-len(images) // columns)
    tiles = np.pad(images, ((0, rows * columns - len(images)), (above, 1), (beside, beside)))
    height, width = tiles.shape[1:]
    in_rows = tiles.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return in_rows.reshape(rows * height, columns * width)


def are_long(names: list[str]) -> bool:
    """Whether the names of classes need more room than a digit, and on an axis stand upright."""
    return max(map(len, names)) > 3


def write(axes: Axes, place: tuple[float, float], text: str, ha: str = "center", **style: Any) -> None:
    """Write a text at a place in the axes' data; the layout does not measure it, which would take long for many."""
    axes.text(*place, text, ha=ha, va="center", in_layout=False, **style)

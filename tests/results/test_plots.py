"""Plots hold the data they were given, in the right places; their files depend on nothing else."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from mnist_pipeline.results.plots import comparison, data, drawing, model
from mnist_pipeline.training.evaluation import wilson
from mnist_pipeline.training.history import Row
from tests import synthetic
from tests.repository import ROOT, environment

HISTORY: list[Row] = [
    {"images_seen": 50, "batch_loss": 2.0, "batch_accuracy": 0.3},
    {"images_seen": 100, "batch_loss": 1.5, "batch_accuracy": 0.4},
    {
        "images_seen": 100,
        "training_loss": 1.7,
        "training_accuracy": 0.5,
        "validation_loss": 1.2,
        "validation_accuracy": 0.6,
    },
    {"images_seen": 150, "batch_loss": 1.0, "batch_accuracy": 0.6},
    {"images_seen": 200, "batch_loss": 0.5, "batch_accuracy": 0.7},
    {
        "images_seen": 200,
        "training_loss": 0.7,
        "training_accuracy": 0.8,
        "validation_loss": 0.6,
        "validation_accuracy": 0.9,
    },
]


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def shown(image: AxesImage) -> npt.NDArray[Any]:
    return np.asarray(image.get_array())


def heights(axes: Any) -> list[float]:
    return [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]


def test_image_grid_lays_images_out_in_rows() -> None:
    images, _ = synthetic.digits(7, seed=0)
    axes = data.image_grid(images, 5, "seven").axes[0]
    tiles = shown(axes.images[0])
    assert tiles.shape == (2 * 30, 5 * 30)
    for number, image in enumerate(images):
        row, column = 1 + 30 * (number // 5), 1 + 30 * (number % 5)
        assert np.array_equal(tiles[row : row + 28, column : column + 28], image)
    assert axes.get_title() == "seven"


def test_label_histogram_shows_shares_with_counts_above() -> None:
    axes = data.label_histogram({"training": [2, 1, 1, *[0] * 7], "test": [0] * 9 + [3]}).axes[0]
    assert heights(axes) == [0.5, 0.25, 0.25, *[0.0] * 16, 1.0]
    assert [text.get_text() for text in axes.texts] == [*"2110000000", *"0000000003"]
    assert legend(axes) == ["training (4)", "test (3)"]
    assert axes.get_ylim()[1] > 1


def test_label_histogram_leaves_room_for_the_numbers_and_admits_an_empty_split() -> None:
    axes = data.label_histogram({"training": [10] * 10, "validation": [0] * 10}).axes[0]
    assert legend(axes) == ["training (100)", "validation (0)"]
    assert axes.get_ylim() == (0, 0.15)


def test_learning_curves_draw_batches_and_epochs_against_images_seen() -> None:
    loss, accuracy = model.learning_curves(HISTORY, "small").axes
    assert {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in loss.lines} == {
        "training, a batch": [[50, 2], [100, 1.5], [150, 1], [200, 0.5]],
        "training, an epoch": [[100, 1.7], [200, 0.7]],
        "validation": [[100, 1.2], [200, 0.6]],
    }
    assert [np.asarray(line.get_ydata()).tolist() for line in accuracy.lines] == [
        [0.3, 0.4, 0.6, 0.7],
        [0.5, 0.8],
        [0.6, 0.9],
    ]
    assert (loss.get_title(), accuracy.get_title()) == ("small: loss", "small: accuracy")
    assert {loss.get_xlabel(), accuracy.get_xlabel()} == {"images seen"}


@pytest.mark.parametrize(("smoothing", "said"), [(0.0, ""), (0.1, "training: labels smoothed by 0.1")])
def test_learning_curves_say_of_the_loss_whether_training_smoothed_the_labels(smoothing: float, said: str) -> None:
    legends: list[Any] = [axes.get_legend() for axes in model.learning_curves(HISTORY, "small", smoothing).axes]
    assert [one.get_title().get_text() for one in legends] == [said, ""]


@pytest.mark.parametrize(
    ("columns", "left"),
    [
        (["validation_loss", "validation_accuracy"], ["training, a batch", "training, an epoch"]),
        (["batch_loss", "batch_accuracy"], ["training, a batch", "training, an epoch", "validation"]),
    ],
)
def test_learning_curves_bear_missing_columns(columns: list[str], left: list[str], tmp_path: Path) -> None:
    history = [{name: number for name, number in row.items() if name not in columns} for row in HISTORY]
    figure = model.learning_curves(history, "small")
    assert legend(figure.axes[0]) == left
    drawing.save(figure, tmp_path / "curves.png")


def test_confusion_matrix_writes_every_count_but_0_and_shades_the_mistakes() -> None:
    counts = np.arange(100).reshape(10, 10)
    axes = model.confusion_matrix(counts, "small").axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    places = [(column, row) for row in range(10) for column in range(10)]
    assert texts == {(column, row): str(10 * row + column) for column, row in places[1:]}
    assert np.array_equal(shown(axes.images[0]), counts * (1 - np.eye(10)))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.get_title() == "small: 4455 errors in 4,950 test images"


@pytest.mark.parametrize("count", [25, 7])
def test_prediction_grid_has_each_image_below_its_prediction_and_marks_the_wrong_ones(count: int) -> None:
    images, labels = synthetic.digits(count, seed=0)
    predicted = labels.copy()
    predicted[3] = (labels[3] + 1) % 10
    (axes,) = model.prediction_grid(images, labels, predicted, "small").axes
    tiles = shown(axes.images[0])
    assert axes.get_title() == f"small: the first {count} test images, mistakes in red"
    assert len(axes.texts) == count
    for number, text in enumerate(axes.texts):
        wrong = number == 3
        assert text.get_text() == (f"{predicted[3]} (is {labels[3]})" if wrong else str(labels[number]))
        assert to_hex(text.get_color()) == (drawing.RED if wrong else "#000000")
        middle, above = text.get_position()
        top, left = round(above + 5), round(middle + 0.5 - 14)
        assert np.array_equal(tiles[top : top + 28, left : left + 28], images[number])


def test_prediction_grid_without_mistakes_has_no_key_to_them() -> None:
    images, labels = synthetic.digits(10, seed=0)
    (axes,) = model.prediction_grid(images, labels, labels, "small").axes
    assert axes.get_title() == "small: the first 10 test images"


def test_mistakes_show_each_image_beside_two_probabilities() -> None:
    images, _ = synthetic.digits(2, seed=0)
    probabilities = np.full((2, 10), 0.0001)
    probabilities[0, 7], probabilities[0, 2], probabilities[1, 1] = 0.775, 0.2242, 0.9991
    labels, indices = np.array([2, 9]), np.array([40, 41])
    (axes,) = model.mistakes(images, labels, probabilities, indices, "small").axes
    tiles = shown(axes.images[0])
    for number in range(2):
        assert np.array_equal(tiles[30 * number + 1 : 30 * number + 29, 1:29], images[number])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["test image 40", "test image 41"]
    bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    assert [bar.get_width() for bar in bars] == [0.775, 0.9991, 0.2242, 0.0001]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == [drawing.RED, drawing.RED, drawing.GREEN, drawing.GREEN]
    said = ["taken for 7: 77.5%", "taken for 1: 99.9%", "is 2: 22.4%", "is 9: 0.0%"]
    assert [text.get_text() for text in axes.texts] == said
    for bar, text in zip(bars, axes.texts, strict=True):
        assert bar.get_y() < text.get_position()[1] < bar.get_y() + bar.get_height()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, 1, 10])
@pytest.mark.parametrize("names", [["no", "yes"], [*"0123456789"], [f"{'a' * 17} {number}" for number in range(62)]])
def test_mistakes_are_inside_the_picture_whatever_the_classes_are(count: int, names: list[str], tmp_path: Path) -> None:
    images, numbers = synthetic.digits(count or 1, seed=0)
    labels, probabilities = numbers[:count] % len(names), np.full((count, len(names)), 1 / len(names))
    figure = model.mistakes(images[:count], labels, probabilities, numbers[:count], "small", names)
    drawing.save(figure, tmp_path / "mistakes.png")
    (axes,) = figure.axes
    texts = [axes.title, *axes.texts, *axes.get_yticklabels()[:count]]
    assert len(texts) == 1 + max(1, 3 * count)
    for text in texts:
        box = text.get_window_extent()
        assert figure.bbox.contains(*box.min)
        assert figure.bbox.contains(*box.max)


@pytest.mark.parametrize("smallest", [1.9, 0.3, 0.002, 1e-5, 1e-8, 1e-12])
def test_the_axis_of_losses_has_a_few_ticks_however_small_they_are(smallest: float, tmp_path: Path) -> None:
    history = [{"images_seen": 1, "training_loss": 2.0}, {"images_seen": 2, "training_loss": smallest}]
    figure = model.learning_curves(history, "small")
    drawing.save(figure, tmp_path / "curves.png")
    loss = figure.axes[0]
    low, high = loss.get_ylim()
    ticks = [label for label in loss.get_yticklabels() if low <= label.get_position()[1] <= high]
    assert 2 <= len(ticks) <= 16
    boxes = [tick.get_window_extent() for tick in ticks]
    assert all(not box.overlaps(other) for number, box in enumerate(boxes) for other in boxes[:number])
    assert loss.yaxis.label.get_window_extent().x0 > 0


def test_a_model_without_mistakes_says_so() -> None:
    nothing = np.zeros(0, np.int64)
    figure = model.mistakes(np.zeros((0, 28, 28), np.uint8), nothing, np.zeros((0, 10)), nothing, "small")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["none"]
    assert not axes.images


def metrics(**models: tuple[int, int]) -> pd.DataFrame:
    """The metrics of models with so many errors in 10,000 test images and so many parameters."""
    rows = {}
    for name, (errors, parameters) in models.items():
        low, high = wilson(errors, 10_000)
        accuracy = {"test_accuracy": 1 - errors / 10_000, "test_accuracy_low": low, "test_accuracy_high": high}
        rows[name] = accuracy | {"test_errors": errors, "parameters": parameters}
    return pd.DataFrame.from_dict(rows, orient="index")


def test_comparison_draws_the_error_with_its_interval_against_parameters() -> None:
    axes = comparison.draw(metrics(large=(200, 1000), small=(1000, 10))).axes[0]
    points, _, (bars,) = axes.containers[0]
    assert np.asarray(points.get_xydata()).tolist() == [[1000, pytest.approx(2)], [10, pytest.approx(10)]]
    for segment, errors in zip(bars.get_segments(), (200, 1000), strict=True):
        low, high = wilson(errors, 10_000)
        assert np.asarray(segment)[:, 1].tolist() == pytest.approx([100 * (1 - high), 100 * (1 - low)])
    names = {text.get_text(): list(text.xy) for text in axes.texts if isinstance(text, Annotation)}
    assert names == {"large": [1000, pytest.approx(2)], "small": [10, pytest.approx(10)]}
    assert [axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()] == ["log", "number of parameters", "test error"]
    steps = np.diff(axes.transData.transform([(1, error) for error in (2, 4, 8)])[:, 1])
    assert steps[0] == pytest.approx(steps[1])  # twice the error is always as far
    assert {"2 %", "5 %", "10 %"} <= {label.get_text() for label in axes.get_yticklabels()}


CLOSE = {f"cnn_number_{number}": (100 + number % 3, 30_000 + 100 * number) for number in range(12)}


@pytest.mark.parametrize(
    "models",
    [
        {"cnn_separable": (136, 30_306), "cnn_avgpool": (135, 32_634), "cnn_fast": (97, 30_074), "mlp": (500, 22_270)},
        {"left": (100, 1000), "right": (100, 1000)},
        CLOSE,
        {"perfect": (0, 10_000), "perfect_too": (0, 10_000), **CLOSE},
        {"m" + 99 * "x": (100, 1000), "m" + 99 * "y": (100, 1000)},
        {f"model_{number}": (20 + number, 10_000) for number in range(60)},
    ],
)
def test_no_name_in_the_comparison_covers_another_or_a_marker(
    models: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    figure = comparison.draw(metrics(**models))
    drawing.save(figure, tmp_path / "comparison.png")
    axes = figure.axes[0]
    labels = [text for text in axes.texts if text.get_text()]
    assert sorted(label.get_text().replace("\n", "") for label in labels) == sorted(models)
    boxes = [label.get_window_extent() for label in labels]
    points = axes.containers[0][0]
    radius = points.get_markersize() / 2 * figure.dpi / 72
    places = axes.transData.transform(np.asarray(points.get_xydata()))
    markers = [Bbox([place - radius, place + radius]) for place in places]
    for number, box in enumerate(boxes):
        assert box.count_overlaps([*markers, *boxes[:number]]) == 0
        assert axes.bbox.contains(*box.min)
        assert axes.bbox.contains(*box.max)


def test_a_model_without_errors_is_drawn_at_zero(tmp_path: Path) -> None:
    figure = comparison.draw(metrics(perfect=(0, 1000), good=(40, 100)))
    drawing.save(figure, tmp_path / "comparison.png")
    axes = figure.axes[0]
    points, _, (bars,) = axes.containers[0]
    assert np.asarray(points.get_ydata()).tolist() == [0, pytest.approx(0.4)]
    assert np.asarray(bars.get_segments()[0])[:, 1].tolist() == [0, pytest.approx(100 * (1 - wilson(0, 10_000)[0]))]
    assert all(axes.bbox.contains(*place) for place in axes.transData.transform(np.asarray(points.get_xydata())))
    assert "0 %" in {label.get_text() for label in axes.get_yticklabels()}


@pytest.mark.parametrize(
    "draw", [lambda: model.learning_curves(HISTORY, "small"), lambda: comparison.draw(metrics(**CLOSE))]
)
def test_the_same_figure_is_saved_as_the_same_bytes(draw: Callable[[], Figure], tmp_path: Path) -> None:
    for name in ("one", "two"):
        drawing.save(draw(), tmp_path / name / "figure.png")
    content = (tmp_path / "one" / "figure.png").read_bytes()
    assert content == (tmp_path / "two" / "figure.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"Matplotlib" not in content


def test_a_matplotlibrc_of_the_user_changes_no_picture(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("savefig.facecolor: red\nfont.size: 20\n", encoding="utf-8")
    code = (
        "import numpy, pathlib; from mnist_pipeline.results.plots import drawing, model; "
        "drawing.save(model.confusion_matrix(numpy.eye(10, dtype=int), 'small'), pathlib.Path('found.png'))"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT / "src")), check=True
    )
    drawing.save(model.confusion_matrix(np.eye(10, dtype=int), "small"), tmp_path / "expected.png")
    assert (tmp_path / "found.png").read_bytes() == (tmp_path / "expected.png").read_bytes()

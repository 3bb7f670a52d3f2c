"""What the offline report shows, from one revision or two side by side; and the folder that it becomes."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mnist_pipeline.commits import lockfile, provenance
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.compare import comparison
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of, whole
from mnist_pipeline.data import idx
from mnist_pipeline.report import vega
from mnist_pipeline.results import confusion

INDEX = "index.html"
MARK = "<title>Report – mnist-pipeline</title>".encode()  # in every report's index.html
COLUMNS = 40  # of the images that models got wrong
SHOWN = ("training_loss", "validation_loss", "training_accuracy", "validation_accuracy")  # columns of a history
CHARTS = {"batch_loss": "Training loss of a batch"} | {name: name.replace("_", " ").capitalize() for name in SHOWN}
Content = dict[str, Any]


def write(revisions: list[Revision], folder: Path = Path("report")) -> Path:
    """Make the folder anew, the earlier report until then in place; returns its index.html, which opens from disk.
    Raises PipelineError when a revision has no results, or when the folder is something else than a report."""
    index = folder / INDEX
    if folder.is_symlink() or (folder.exists() and not (index.is_file() and MARK in index.read_bytes())):
        expected = "expected a folder that `mnist report` wrote, or none"
        raise PipelineError(f"{folder}: {expected}; move it away, then repeat")
    content = gather(revisions)
    pictures = [paths.DATA_PICTURES / name for name in content["pictures"]["files"]]
    page = (vega.PAGE / INDEX).read_text(encoding="utf-8").replace("{{content}}", embedded(content))
    with whole(folder, folder.with_name(f".new-{folder.name}-{os.getpid()}")) as new:  # ignored by Git
        new.mkdir()
        for path in (*pictures, *vega.PAGE.glob("*.css"), *vega.PAGE.glob("*.js")):
            shutil.copyfile(path, new / path.name)
        if content["sprite"]["indices"]:
            draw(content["sprite"]["indices"], new / "mistakes.png")
        (new / "vega.js").write_text(vega.scripts(), encoding="utf-8")
        (new / INDEX).write_text(page, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
    return index


def embedded(content: Content) -> str:
    """JSON that no browser takes for the end of the script that it stands in; infinities and NaN are null."""
    finite = json.loads(json.dumps(content), parse_constant=lambda _: None)
    text = json.dumps(finite, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def gather(revisions: list[Revision]) -> Content:
    """Everything that the page shows, as JSON can hold it. Raises PipelineError when a revision has no results."""
    names = [revision.name for revision in revisions]
    if len(set(names)) < len(names):
        raise PipelineError(f"{names[0]}: there is nothing to see side by side in one and the same revision")
    sides = [_side(revision) for revision in revisions]
    models = list(dict.fromkeys(model for revision in revisions for model in revision.models))
    shown = [rows for side in sides if side["no_images"] is None for rows in side["mistakes"].values()]
    return {
        "models": models,
        "sides": sides,
        "comparison": _comparison(*revisions) if len(revisions) > 1 else None,
        "charts": {column: vega.curve(column, title, models, names) for column, title in CHARTS.items()},
        "curves": [row for revision in revisions for model in revision.models for row in _curve(revision, model)],
        "sprite": {"columns": COLUMNS, "indices": sorted({row[0] for rows in shown for row in rows})},
        "pictures": _pictures(sides),
    }


def _side(revision: Revision) -> Content:
    models = comparison.evaluated(revision)
    found: dict[str, pd.DataFrame] = {}
    refusals: dict[str, str] = {}
    for model in models:
        try:
            found[model] = revision.predictions(model)
        except PipelineError as error:
            refusals[model] = str(error)
    pairs, size = found.items(), len(revision.classes)
    return provenance.of(revision) | {
        "outputs": provenance.outputs(revision),
        "metrics": {model: revision.metrics(model) for model in models},
        "best": revision.json(paths.BEST)["model"] if revision.has(paths.BEST) else None,
        "classes": revision.classes,
        "confusion": {name: confusion.counts(one["label"], one["predicted"], size).tolist() for name, one in pairs},
        "mistakes": {model: mistakes(one) for model, one in found.items()},
        "refusals": refusals,
        "data": revision.json(paths.DATA_METRICS) if revision.has(paths.DATA_METRICS) else None,
        "no_images": why_not(comparison.test_files(revision).get("test_images")),
    }


def _comparison(before: Revision, after: Revision) -> Content:
    """What changed for each model and for all of them, and the notes on it."""
    found = comparison.compare(before, after)
    rows = [asdict(row) | {"recipe": [str(change) for change in row.recipe]} for row in found.models]
    return {"rows": rows, "shared": [str(change) for change in found.shared], "notes": found.notes}


def _curve(revision: Revision, model: str) -> list[Content]:
    """The history of a model, a row each; what a row does not have is left out."""
    history = revision.history(model).reindex(columns=["images_seen", "epoch", *CHARTS])
    names = {"model": model, "side": revision.name, "line": f"{model}\n{revision.name}"}
    return [
        names | {str(column): value for column, value in row.items() if pd.notna(value)}
        for row in history.to_dict("records")
    ]


def _pictures(sides: list[Content]) -> Content:
    """The pictures of the data, and the sides whose dvc.lock describes the ones that are here."""
    described = {"path": paths.DATA_PICTURES.as_posix(), "md5": lockfile.md5(paths.DATA_PICTURES)}
    of = [side["name"] for side in sides if any(described.items() <= row.items() for row in side["outputs"])]
    return {"of": of, "files": sorted(path.name for path in paths.DATA_PICTURES.glob("*.png")) if of else []}


def mistakes(predictions: pd.DataFrame) -> list[list[int]]:
    """Index, true digit and predicted digit of each wrong prediction, by index."""
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    rows: list[list[int]] = wrong[["index", "label", "predicted"]].sort_values("index").to_numpy().tolist()
    return rows


def why_not(expected: str | None) -> str | None:
    """Why the images in data/idx can't be shown for results on test images of this SHA-256; None when they can."""
    if not paths.TEST_IMAGES.exists():
        return f"{paths.TEST_IMAGES} is not here. Run make repro, then make report again."
    if expected == sha256_of(paths.TEST_IMAGES):
        return None
    held = f"{paths.TEST_IMAGES} holds other images than those that this revision was tested on"
    return f"{held} ({paths.DATA_METRICS}: SHA-256 {expected or 'unknown'})."


def draw(indices: list[int], path: Path) -> None:
    """Write a grey PNG with these test images, row by row, COLUMNS in a row, 28 × 28 pixels each; ink is black. Raises
    PipelineError when the file of test images is missing or damaged."""
    rows = -(-len(indices) // COLUMNS)
    tiles = np.full((rows * COLUMNS, idx.SIZE, idx.SIZE), 255, dtype=np.uint8)
    tiles[: len(indices)] = 255 - idx.read(paths.TEST_IMAGES)[indices]
    grid = tiles.reshape(rows, COLUMNS, idx.SIZE, idx.SIZE).swapaxes(1, 2).reshape(rows * idx.SIZE, -1)
    Image.fromarray(grid).save(path, "PNG", optimize=True)

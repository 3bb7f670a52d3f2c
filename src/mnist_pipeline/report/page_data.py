"""What the offline report shows, from one revision or two side by side; and the folder that it becomes."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_pipeline.commits import lockfile, provenance
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.compare import comparison
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import whole
from mnist_pipeline.report import gallery, vega
from mnist_pipeline.results import confusion

INDEX = "index.html"
MARK = "<title>Report – mnist-pipeline</title>".encode()  # in every report's index.html
PAGE = Path(__file__).with_name("page")
CHARTS = {  # title by column of a history
    "batch_loss": "Training loss of a batch",
    "training_loss": "Training loss",
    "validation_loss": "Validation loss",
    "training_accuracy": "Training accuracy",
    "validation_accuracy": "Validation accuracy",
}
Content = dict[str, Any]


def write(revisions: list[Revision], folder: Path = Path("report")) -> Path:
    """Make the folder anew and return its index.html, which opens from disk and asks no network.

    The same revisions and data give the same bytes. An earlier report stays until the new one is whole. Raises
    PipelineError when a revision has no results, or when the folder is something else than a report.
    """
    index = folder / INDEX
    if folder.is_symlink() or (folder.exists() and not (index.is_file() and MARK in index.read_bytes())):
        raise PipelineError(
            f"{folder}: expected a folder that `mnist report` wrote, or none; move it away, then repeat"
        )
    content = gather(revisions)
    with whole(folder, folder.with_name(f".new-{folder.name}-{os.getpid()}")) as new:  # ignored by Git
        _fill(new, content)
        if folder.exists():
            shutil.rmtree(folder)
    return index


def _fill(folder: Path, content: Content) -> None:
    folder.mkdir()
    pictures = [paths.DATA_PICTURES / name for name in content["pictures"]["files"]]
    for path in (*pictures, *PAGE.glob("*.css"), *PAGE.glob("*.js")):
        shutil.copyfile(path, folder / path.name)
    if content["sprite"]["indices"]:
        gallery.write(content["sprite"]["indices"], folder / "mistakes.png")
    (folder / "vega.js").write_text(vega.scripts(), encoding="utf-8")
    page = (PAGE / INDEX).read_text(encoding="utf-8")
    (folder / INDEX).write_text(page.replace("{{content}}", embedded(content)), encoding="utf-8")


def embedded(content: Content) -> str:
    """JSON that no browser takes for the end of the script that it stands in, whatever names it holds.

    Infinities and NaN, which JSON has not, are null.
    """
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
        "sprite": {"columns": gallery.COLUMNS, "indices": sorted({row[0] for rows in shown for row in rows})},
        "pictures": _pictures(sides),
    }


def _side(revision: Revision) -> Content:
    models = revision.models
    if not models:
        raise PipelineError(
            f"{revision.name}: no model of params.yaml was evaluated; make repro does that, or name another revision"
        )
    predictions: dict[str, pd.DataFrame] = {}
    refusals: dict[str, str] = {}
    for model in models:
        try:
            predictions[model] = revision.predictions(model)
        except PipelineError as error:
            refusals[model] = str(error)
    return provenance.of(revision) | {
        "outputs": provenance.outputs(revision),
        "metrics": {model: revision.metrics(model) for model in models},
        "best": revision.json(paths.BEST)["model"] if revision.has(paths.BEST) else None,
        "confusion": {
            model: confusion.counts(table["label"], table["predicted"]).tolist() for model, table in predictions.items()
        },
        "mistakes": {model: gallery.mistakes(table) for model, table in predictions.items()},
        "refusals": refusals,
        "data": revision.json(paths.DATA_METRICS) if revision.has(paths.DATA_METRICS) else None,
        "no_images": gallery.why_not(comparison.test_files(revision).get("test_images")),
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

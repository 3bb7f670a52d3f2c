"""Stage `verify`: check the published files, decompress them, describe and draw them. Run: dvc repro verify."""

import bootstrap

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import write_json
from mnist_pipeline.data import dataset, verification
from mnist_pipeline.results.plots import drawing
from mnist_pipeline.results.plots.data import image_grid, label_histogram

with bootstrap.stage():
    settings = bootstrap.settings
    files = verification.verify(settings.data, paths.RAW)
    summary = verification.summary(settings.data, settings.split, files)
    write_json(paths.DATA_METRICS, summary)
    sets = {"training": dataset.training_set(), "test": dataset.test_set()}
    for split, rows in (("training", 6), ("training", 10), ("test", 10)):
        title = f"{settings.data.name}: the first {10 * rows} {split} images"
        grid = image_grid(sets[split].pixels.numpy()[: 10 * rows], 10, title)
        drawing.save(grid, paths.DATA_PICTURES / f"{split}-{rows}x10.png")
    labels = {split: part["labels"] for split, part in summary["splits"].items()}
    drawing.save(label_histogram(labels, settings.data.classes), paths.DATA_PICTURES / "labels.png")

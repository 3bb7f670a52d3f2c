"""Stage `verify`: check the published files, decompress them, describe and draw them. Run: dvc repro verify."""

import bootstrap

from mnist_pipeline.core import params, paths
from mnist_pipeline.core.files import write_json
from mnist_pipeline.data import dataset, verification
from mnist_pipeline.results import plots

with bootstrap.stage():
    settings = params.load()
    files = verification.verify(settings.data, paths.RAW)
    summary = verification.summary(settings.data, settings.split, files)
    write_json(paths.DATA_METRICS, summary)
    training, test = dataset.training_set().pixels.numpy(), dataset.test_set().pixels.numpy()
    name = settings.data.name
    pictures = {
        "training-6x10": plots.image_grid(training[:60], 10, f"{name}: the first 60 training images"),
        "training-10x10": plots.image_grid(training[:100], 10, f"{name}: the first 100 training images"),
        "test-10x10": plots.image_grid(test[:100], 10, f"{name}: the first 100 test images"),
        "labels": plots.label_histogram({split: part["labels"] for split, part in summary["splits"].items()}),
    }
    for picture, figure in pictures.items():
        plots.save(figure, paths.DATA_PICTURES / f"{picture}.png")

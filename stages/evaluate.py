"""Stage `evaluate@MODEL`: score one model on test and validation images. Run: dvc repro evaluate@MODEL."""

import bootstrap

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import files, params, paths
from mnist_pipeline.data import dataset
from mnist_pipeline.results import predictions
from mnist_pipeline.training import checkpoints, evaluation, history

with bootstrap.stage() as (model,):
    settings = params.load()
    device = runtime.configure(settings.runtime)
    network, manifest = checkpoints.load(paths.model(model), exact=settings.runtime.arithmetic == "exact")
    training, test = dataset.training_set(), dataset.test_set()
    _, validation = dataset.split(training.labels.numpy(), settings.split)
    network.to(device)
    scaling = manifest.recipe.scaling
    on_test = evaluation.predict(network, test, test.all(), scaling)
    on_validation = evaluation.predict(network, training, validation, scaling) if len(validation) else None
    names, images = manifest.classes, test.pixels.numpy()
    files.write_json(paths.metrics(model), evaluation.metrics(on_test, on_validation, manifest.parameters))
    predictions.write(model, on_test, images, history.read(paths.history(model)), paths.test(model), names)

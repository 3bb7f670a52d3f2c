"""The whole way of one trained model: from its weights to metrics and predictions, on disk."""

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import files, paths
from mnist_pipeline.core.params import Params
from mnist_pipeline.data import dataset
from mnist_pipeline.results import predictions
from mnist_pipeline.training import checkpoints, evaluation, history


def evaluate(settings: Params, model: str) -> None:
    """Score one model on test and validation images: metrics/models/MODEL.json, and what is in results/test/MODEL.

    Raises PipelineError for a model that is missing or damaged, damaged data, or a missing device.
    """
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

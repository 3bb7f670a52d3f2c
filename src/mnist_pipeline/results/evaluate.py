"""The whole way of one trained model: from its weights and history to metrics and predictions, on disk."""

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import files, paths
from mnist_pipeline.core.params import Params
from mnist_pipeline.data import dataset
from mnist_pipeline.results import predictions
from mnist_pipeline.training import checkpoints, evaluation, history


def evaluate(settings: Params, model: str) -> None:
    """Score one model on the test images: metrics/models/MODEL.json, and what is in results/test/MODEL.

    The figures of the validation images are those that its training found after the last epoch. Raises PipelineError
    for a model that is missing or damaged, damaged data, or a missing device.
    """
    device = runtime.configure(settings.runtime)
    network, manifest = checkpoints.load(paths.model(model), exact=settings.runtime.arithmetic == "exact")
    test, rows = dataset.test_set(), history.rows(paths.history(model))
    recipe = manifest.recipe
    on_test = evaluation.predict(network.to(device), test, test.all(), recipe.scaling)
    files.write_json(paths.metrics(model), evaluation.metrics(on_test, rows[-1], manifest.parameters))
    predictions.write(
        model,
        on_test,
        test.pixels.numpy(),
        rows,
        paths.test(model),
        names=manifest.classes,
        label_smoothing=recipe.label_smoothing,
    )

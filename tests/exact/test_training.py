"""The pipeline's way in exact arithmetic: the same files whatever the threads, and from where a training was killed."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import params, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.core.params import Params
from mnist_pipeline.data import dataset
from mnist_pipeline.training import checkpoints, evaluation, loop, train
from tests import synthetic

CPU = torch.device("cpu")
RECIPES = [(2, {"network": "mlp_28"}), (4, {"network": "convnet", "options": {"width": 4}, "batch": 128})]


class KilledError(Exception):
    """Stands for a power failure: nothing that comes after it happens."""


@pytest.fixture
def data(published: Path, workspace: Path) -> dict[str, Any]:
    """The `data` of params.yaml for what is in the working directory."""
    assert (workspace / paths.TRAINING_IMAGES).exists()
    return synthetic.data_params(published, ["nowhere"])


def exact(data: dict[str, Any], threads: int = 1, **changes: Any) -> Params:
    """Settings for one model, in exact arithmetic."""
    chosen = {"arithmetic": "exact", "device": "cpu", "threads": threads}
    return params.parse(synthetic.params(data, runtime=chosen, models={"small": synthetic.recipe(**changes)}), "test")


def written() -> dict[str, bytes]:
    """Every file of the model and its history, which may go now."""
    files = [path for part in (paths.model("small"), paths.history("small").parent) for path in part.rglob("*.*")]
    content = {str(path): path.read_bytes() for path in files}
    for path in files:
        path.unlink()
    return content


def finish(trained: train.Trained) -> None:
    """As the stage does."""
    trained.write()
    trained.state.done()


@pytest.mark.parametrize(("threads", "recipe"), RECIPES)
def test_threads_and_a_kill_change_no_byte(data: dict[str, Any], threads: int, recipe: dict[str, Any]) -> None:
    finish(train.train(exact(data, epochs=2, **recipe), "small"))
    manifest = read_json(paths.manifest("small"))
    assert manifest["arithmetic"] == "exact"
    assert manifest["runtime"] == {"arithmetic": "exact", "device": "cpu", "threads": 1}
    undisturbed = written()
    assert len(undisturbed) == 5

    def kill(now: train.Trained) -> None:
        if now.training.epoch == 2:
            raise KilledError

    with pytest.raises(KilledError):
        train.train(exact(data, threads, epochs=2, **recipe), "small", after_epoch=kill)
    resumed: list[int] = []
    settings = exact(data, threads, epochs=2, **recipe)
    finish(train.train(settings, "small", after_epoch=lambda now: resumed.append(now.training.epoch)))
    assert resumed == [2]
    assert written() == undisturbed


def test_it_learns_and_its_metrics_are_the_same_whatever_the_threads(data: dict[str, Any]) -> None:
    finish(train.train(exact(data, epochs=4), "small"))
    found = []
    for threads in (1, 2):
        runtime.configure(exact(data, threads).runtime)
        network, manifest = checkpoints.load(paths.model("small"), exact=True)
        test = dataset.test_set()
        predictions = evaluation.predict(network, test, test.all(), manifest.recipe.scaling)
        assert predictions.exact
        metrics = evaluation.metrics(predictions, {}, manifest.parameters)
        found.append((metrics, predictions.logits.numpy().tobytes()))
    assert found[0] == found[1]
    assert found[0][0]["test_accuracy"] > 0.9
    wide = evaluation.Predictions(predictions.logits, predictions.labels)
    assert metrics == pytest.approx(evaluation.metrics(wide, {}, manifest.parameters), rel=1e-4)


@pytest.mark.parametrize("network", ["mlp_28", "cnn_avgpool"])
def test_native_weights_see_the_same_digits_in_exact_arithmetic(network: str, tmp_path: Path) -> None:
    synthetic.train(tmp_path / "model", network=network)
    data = synthetic.dataset(200, seed=5)
    logits = {}
    for way in (True, False):
        loaded, manifest = checkpoints.load(tmp_path / "model", exact=way)
        logits[way] = evaluation.predict(loaded, data, data.all(), manifest.recipe.scaling).logits
    assert torch.allclose(logits[True], logits[False], atol=1e-3)
    first, second = logits[False].topk(2).values.unbind(1)
    differ = logits[True].argmax(1) != logits[False].argmax(1)
    assert not (differ & (first - second > 1e-3)).any(), "but for ties"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": {"name": "sgd", "learning_rate": 0.1}}, "the optimizer sgd has no exact form; there is adamw"),
        ({"augmentation": {"rotation": 10.0}}, "augmentation has no exact form; leave it out of the recipe"),
        ({"network": "cnn_5x5"}, r"2 \(MaxPool2d.* has no exact form"),
    ],
)
def test_what_has_no_exact_form_is_refused_before_anything_is_trained(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineError, match=f"runtime.arithmetic: exact: {said}"):
        loop.start(synthetic.checked_recipe(**changes), 1, CPU, "exact")


def test_a_device_without_float64_is_refused(data: dict[str, Any]) -> None:
    chosen = {"arithmetic": "exact", "device": "mps", "threads": 1}
    with pytest.raises(PipelineError, match=r"runtime.*exact arithmetic needs float64, which mps has not"):
        params.parse(synthetic.params(data, runtime=chosen), "test")


def test_weights_that_leave_all_bounds_are_refused_with_advice() -> None:
    images, labels = synthetic.dataset(64).batch(torch.arange(64))
    training = loop.start(synthetic.checked_recipe(), 1, CPU, "exact")
    next(training.network.parameters()).data.fill_(math.nan)
    with pytest.raises(PipelineError, match=r"lower optimizer.learning_rate"):
        loop.step(training, images, labels)


def test_as_many_outputs_as_classes_have_an_exact_form() -> None:
    images, labels = synthetic.dataset(64).batch(torch.arange(64))
    training = loop.start(synthetic.checked_recipe(), 1, CPU, "exact", outputs=26)
    losses = [loop.step(training, images, labels)[0] for _ in range(3)]
    assert losses[2] < losses[0]

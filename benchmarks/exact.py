"""What exact arithmetic costs, in seconds and in accuracy: each recipe of studies/exact in native and in exact."""

import math
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pandas as pd
from scipy import stats

from benchmarks import report
from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core import params, tables
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Arithmetic, Params
from mnist_pipeline.data import dataset
from mnist_pipeline.exact import draws
from mnist_pipeline.training import evaluation, loop
from mnist_pipeline.training.optimizers import factor

STUDY = Path("studies/exact/params.yaml")
SEEDS, POINTS = (1, 2, 3, 4, 5), 0.3
PERCEPTRON, CONVOLUTIONAL = 6, 12  # times as long as native
BOTH: tuple[Arithmetic, Arithmetic] = ("native", "exact")
PROGRAM = """from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core.params import Runtime
portable.pin(Runtime(arithmetic="native", device="cpu", threads=1))
from benchmarks import exact
exact.measure()"""
TEXT = """Core-seconds of the training of each recipe of studies/exact, without imports and validation, in
native and in exact arithmetic: seed by seed in turns, in one process, which has none of portable arithmetic's
environment, on one thread. Accuracy is that on the test images; the difference, exact less native, is in points of a
percent: its mean over the seeds 1 to 5, and Student's 95 % interval of the five pairs. Both of a pair begin with the
same weights and see the images in the same order, so that the arithmetic is all that differs."""


def run() -> str:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        raise PipelineError("exact: the trainings failed, as said above")
    models = pd.read_csv(StringIO(ran.stdout)).groupby("model", sort=False)
    rows, verdicts = zip(*(_compare(str(model), trainings) for model, trainings in models), strict=True)
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def measure() -> None:
    """Print a CSV row for each training: model, seed, arithmetic, core-seconds, accuracy on the test images (0–1)."""
    settings = params.load(STUDY)
    first, *_ = settings.models
    for arithmetic in BOTH:
        _train(settings, first, 0, arithmetic)  # only warms up
    trainings = [(model, seed, arithmetic) for model in settings.models for seed in SEEDS for arithmetic in BOTH]
    rows = [(*one, *_train(settings, *one)) for one in trainings]
    columns = ["model", "seed", "arithmetic", "seconds", "accuracy"]
    print(pd.DataFrame(rows, columns=columns).to_csv(index=False))


def _train(settings: Params, model: str, seed: int, arithmetic: Arithmetic) -> tuple[float, float]:
    recipe, device = settings.recipe(model), runtime.configure(settings.runtime)
    data, test = dataset.training_set(), dataset.test_set()
    indices, _ = dataset.split(data.labels.numpy(), settings.split)
    training = loop.start(recipe, seed, device, arithmetic)
    draws.initialise(training.network, seed)
    training.network.train()
    began, total = time.process_time(), math.ceil(recipe.epochs) * len(indices)
    for epoch in range(1, math.ceil(recipe.epochs) + 1):
        order = draws.permutation(len(indices), seed, epoch)
        for chosen in dataset.shuffled(indices, recipe.batch, len(indices), order):
            for group in training.optimizer.param_groups:
                group["lr"] = recipe.optimizer.learning_rate * factor(recipe.schedule, training.images_seen / total)
            loop.step(training, *data.batch(chosen))
            training.images_seen += len(chosen)
    seconds = time.process_time() - began
    return seconds, evaluation.predict(training.network, test, test.all(), recipe.scaling).accuracy


def _compare(model: str, trainings: pd.DataFrame) -> tuple[dict[str, str], str]:
    seconds, accuracy = (
        trainings.pivot(index="seed", columns="arithmetic", values=name) for name in trainings.columns[3:]
    )
    ratio, points = seconds["exact"].sum() / seconds["native"].sum(), 100 * (accuracy["exact"] - accuracy["native"])
    low, high = stats.t.interval(0.95, len(SEEDS) - 1, points.mean(), points.sem())
    row = {"recipe": model}
    row |= {f"{name}, s": f"{seconds[name].mean():.2f}" for name in BOTH} | {"ratio": f"{ratio:.2f}"}
    row |= {f"{name}, %": f"{100 * accuracy[name].mean():.2f}" for name in BOTH}
    row |= {"difference": f"{points.mean():+.2f}", "95 % interval": f"{low:+.2f} to {high:+.2f}"}
    limit = PERCEPTRON if model.startswith("mlp") else CONVOLUTIONAL
    verdicts = [
        report.verdict(f"{model}, exact / native", ratio, at_most=limit),
        report.verdict(f"{model}, the further end of the interval, points", max(-low, high), at_most=POINTS),
    ]
    return row, "\n".join(verdicts)

"""The whole way of one model: from params.yaml and data/idx to a trained network and what describes it, on disk."""

from collections.abc import Callable
from dataclasses import dataclass

from mnist_pipeline.arithmetic import machine, portable, runtime
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import sha256_of, write_json
from mnist_pipeline.core.params import Params
from mnist_pipeline.data import dataset
from mnist_pipeline.training import checkpoints, history, loop, manifest, operators, resume
from mnist_pipeline.training.loop import Training
from mnist_pipeline.training.manifest import Manifest


@dataclass(frozen=True)
class Trained:
    """A finished training with the manifest of its model, and the state that may go once both are written."""

    training: Training
    manifest: Manifest
    state: resume.State

    def write(self) -> None:
        """Write the model, its history, and beside what DVC tracks the machine and the seconds that it took."""
        name, training = self.manifest.model, self.training
        history.write(training.history, paths.history(name))
        checkpoints.save(paths.model(name), training.network, training.optimizer, self.manifest)
        weights = {"weights_sha256": sha256_of(paths.model(name) / checkpoints.WEIGHTS)}
        seconds = {"training_seconds": training.seconds, "scoring_seconds": training.scoring_seconds}
        write_json(paths.timing(name), weights | seconds | {"machine": machine.describe()})


def train(
    settings: Params, model: str, with_test: bool = False, after_epoch: Callable[["Trained"], None] | None = None
) -> Trained:
    """Train one model of params.yaml on data/idx, from where a killed training of it stopped, else from its start.

    `after_epoch` is called before the state of an epoch is saved. `with_test` scores the test images too, after every
    epoch. Raises PipelineError for an unknown model, damaged data, a missing device, or a loss that is not finite.
    """
    recipe = settings.recipe(model)
    device = runtime.configure(settings.runtime)
    data = dataset.training_set()
    indices, validation = dataset.split(data.labels.numpy(), settings.split)
    scored = {"validation": (data, validation)} if len(validation) else {}
    if with_test:
        test = dataset.test_set()
        scored["test"] = (test, test.all())
    arithmetic = portable.expected(settings.runtime)  # as was proved
    training = loop.start(recipe, settings.seed, device, arithmetic, len(dataset.classes()))
    unproven = operators.unproven(training, (data, indices)) if arithmetic == "portable" else []
    if unproven:
        print(f"note: {model} is not portable: not known to give the same bits everywhere: {', '.join(unproven)}")
    described = manifest.describe(model, settings, arithmetic, unproven, training.network, indices)
    state = resume.State(described, (paths.TEST_IMAGES, paths.TEST_LABELS) if with_test else ())
    state.restore(training)
    trained = Trained(training, described, state)

    def keep(_: Training) -> None:
        if after_epoch:
            after_epoch(trained)
        state.save(training)

    loop.fit(training, (data, indices), scored, keep)
    return trained

"""Stage `train@MODEL`: train one model on the training split. Run: dvc repro train@MODEL."""

import bootstrap

from mnist_pipeline import networks
from mnist_pipeline.arithmetic import portable, runtime
from mnist_pipeline.core import files, params, paths
from mnist_pipeline.data import dataset
from mnist_pipeline.training import checkpoints, history, loop, manifest, operators, resume


def main(model: str) -> None:
    settings = params.load()
    recipe = settings.recipe(model)
    device = runtime.configure(settings.runtime)
    data = dataset.training_set()
    indices, validation = dataset.split(data.labels.numpy(), settings.split)
    scored = {"validation": (data, validation)} if len(validation) else {}
    if recipe.study is not None:
        test = dataset.test_set()
        scored["test"] = (test, test.all())
    trained = loop.start(recipe, settings.seed, device)
    parameters = networks.count_parameters(trained.network)
    computed = portable.expected(settings.runtime)  # as was proved
    unproven = operators.unproven(trained, (data, indices)) if computed == "portable" else []
    if unproven:
        print(f"note: {model} is not portable: not known to give the same bits everywhere: {', '.join(unproven)}")
    description = manifest.describe(model, settings, computed, unproven, parameters, indices)
    state = resume.State(description)
    state.restore(trained)
    loop.fit(trained, (data, indices), scored, after_epoch=state.save)
    history.write(trained.history, paths.history(model))
    checkpoints.save(paths.model(model), trained.network, trained.optimizer, description)
    state.keep_epochs(paths.model(model))
    weights = files.sha256_of(paths.model(model) / checkpoints.WEIGHTS)
    files.write_json(paths.timing(model), {"weights_sha256": weights, "training_seconds": trained.seconds})
    state.remove()


if __name__ == "__main__":
    bootstrap.run(main)

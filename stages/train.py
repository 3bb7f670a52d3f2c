"""Stage `train@MODEL`: train one model on the training split. Run: dvc repro train@MODEL."""

import bootstrap

from mnist_pipeline import card, checkpoints, dataset, files, history, networks, params, paths, runtime, training


def main(model: str) -> None:
    settings = params.load()
    recipe = settings.recipe(model)
    device = runtime.configure(settings.runtime)
    data = dataset.training_set()
    indices = dataset.split(data.labels.numpy(), settings.split)
    trained = training.fit(data, indices, recipe, settings.seed, device)
    history.write(trained.history, paths.history(model))
    parameters = networks.count_parameters(trained.network)
    description = card.describe(
        model, recipe, parameters, indices[0], seed=settings.seed, split=settings.split, runtime=settings.runtime
    )
    checkpoints.save(paths.model(model), trained.network, trained.optimizer, description)
    weights = files.sha256_of(paths.model(model) / checkpoints.WEIGHTS)
    files.write_json(paths.timing(model), {"weights_sha256": weights, "training_seconds": trained.seconds})


if __name__ == "__main__":
    bootstrap.run(main)

"""Stage `train@MODEL`: train one model on the training split. Run: dvc repro train@MODEL."""

import bootstrap

from mnist_pipeline.core import params
from mnist_pipeline.training.train import train


def main(model: str) -> None:
    trained = train(params.load(), model)
    trained.write()
    trained.state.remove()


if __name__ == "__main__":
    bootstrap.run(main)

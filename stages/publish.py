"""Stage `publish`: show every model in MLflow and let the best become champion. Run: dvc repro publish."""

import bootstrap

from mnist_pipeline.core import params
from mnist_pipeline.registry import publishing


def main() -> None:
    publishing.publish(list(params.load().models))


if __name__ == "__main__":
    bootstrap.run(main)

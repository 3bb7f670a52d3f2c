"""Stage `publish`: show every model in MLflow and let the best become champion. Run: dvc repro publish."""

import bootstrap

from mnist_pipeline import params, tracking


def main() -> None:
    tracking.publish(list(params.load().models))


if __name__ == "__main__":
    bootstrap.run(main)

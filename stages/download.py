"""Stage `download`: bring the published files into data/raw. Run: dvc repro download."""

import bootstrap

from mnist_pipeline.core import params, paths
from mnist_pipeline.data import sources


def main() -> None:
    sources.download(params.load().data, paths.RAW)


if __name__ == "__main__":
    bootstrap.run(main)

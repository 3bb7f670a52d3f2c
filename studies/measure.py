"""Measure the seconds that a study's table shows. Run it in the study's folder, after `dvc repro`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stages"))

import bootstrap

from mnist_pipeline import measuring, params


def main() -> None:
    measuring.measure(params.load())


if __name__ == "__main__":
    bootstrap.run(main)

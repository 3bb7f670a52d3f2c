"""Stage `download`: bring the published files into data/raw. Run: dvc repro download."""

import bootstrap

from mnist_pipeline.core import paths
from mnist_pipeline.data import sources

with bootstrap.stage():
    sources.download(bootstrap.settings.data, paths.RAW)

"""Stage `download`: bring the published files into data/raw. Run: dvc repro download."""

import bootstrap

from mnist_pipeline.core import params, paths
from mnist_pipeline.data import sources

with bootstrap.stage():
    sources.download(params.load().data, paths.RAW)

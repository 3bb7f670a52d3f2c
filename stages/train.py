"""Stage `train@MODEL`: train one model on the training split. Run: dvc repro train@MODEL."""

import bootstrap

from mnist_pipeline.core import params
from mnist_pipeline.training.train import train

with bootstrap.stage() as (model,):
    trained = train(params.load(), model)
    trained.write()
    trained.state.done()

"""Stage `train@MODEL`: train one model on the training split. Run: dvc repro train@MODEL."""

import bootstrap

from mnist_pipeline.training.train import train

with bootstrap.stage() as (model,):
    trained = train(bootstrap.settings, model)
    trained.write()
    trained.state.done()

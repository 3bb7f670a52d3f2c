"""Stage `evaluate@MODEL`: score one model on the test images. Run: dvc repro evaluate@MODEL."""

import bootstrap

from mnist_pipeline.results.evaluate import evaluate

with bootstrap.stage() as (model,):
    evaluate(bootstrap.settings, model)

"""Stage `publish`: show every model in MLflow and let the best become champion. Run: dvc repro publish."""

import bootstrap

from mnist_pipeline.registry import publishing

with bootstrap.stage():
    publishing.publish(list(bootstrap.settings.models))

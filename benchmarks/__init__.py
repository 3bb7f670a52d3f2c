"""Speed, measured in the arithmetic of params.yaml, which is set before numpy is imported."""

from mnist_pipeline import arithmetic

arithmetic.pin()

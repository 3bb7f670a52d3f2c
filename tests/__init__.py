"""The tests compute as the pipeline does: in portable arithmetic, which is set before numpy is imported."""

from mnist_pipeline import arithmetic
from mnist_pipeline.params import Runtime

arithmetic.pin(Runtime(arithmetic="portable", device="cpu", threads=1))

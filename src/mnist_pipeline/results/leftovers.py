"""Files of models that params.yaml no longer names."""

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError


def check(models: list[str]) -> None:
    """Raise PipelineError for files of other models than these: they would enter the hashes of later stages."""
    folders = (paths.MODELS, paths.TRAIN, paths.TEST, paths.MODEL_METRICS)
    found = [path for folder in folders for path in folder.glob("[!.]*")]
    leftovers = sorted(str(path) for path in found if path.stem not in models)
    if leftovers:
        raise PipelineError(
            f"{', '.join(leftovers)}: no such model under models in params.yaml, or in a study's dvc.yaml; "
            f"add it there, or delete what is left of it: rm -r {' '.join(leftovers)}"
        )

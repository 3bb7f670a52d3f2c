"""Some of a pipeline's stages, by their names or by patterns such as `evaluate@cnn_*`."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mnist_pipeline.core.errors import PipelineError


def chosen(stages: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Those of `stages` that have one of these names, in their order; all where none is given.

    In a pattern `*` stands for any characters, `?` for one, `[ab]` for one of these. Raises PipelineError for a pattern
    that fits no stage.
    """
    for pattern in patterns:
        if not any(fnmatchcase(stage, pattern) for stage in stages):
            raise PipelineError(f"dvc.yaml: no stage {pattern}; there are {', '.join(stages)}")
    return [stage for stage in stages if not patterns or any(fnmatchcase(stage, pattern) for pattern in patterns)]

"""dvc.yaml parsed as plain YAML, without DVC: the stages that it names at any commit."""

import re
from collections import ChainMap
from collections.abc import Mapping
from functools import reduce
from typing import Any

from mnist_pipeline.commits.lockfile import LOCK
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core.errors import PipelineError

PLACEHOLDER = re.compile(r"\$\{([\w.]+)\}")


def stages(revision: Revision) -> list[str]:
    """All stages of dvc.yaml in its order, of a `foreach` one for each key that params.yaml or `vars` have there.

    Of what else may multiply a stage, such as `matrix` or keys in a file of their own, those that dvc.lock has. Raises
    PipelineError when it has none, and for a file that is missing or damaged.
    """
    given = revision.graph
    values = ChainMap(*[entry for entry in given.get("vars") or [] if isinstance(entry, dict)], revision.params)
    return [name for stage, entry in given.get("stages", {}).items() for name in _names(revision, stage, entry, values)]


def _names(revision: Revision, stage: str, entry: Any, values: ChainMap[str, Any]) -> list[str]:
    if not {"foreach", "matrix"} & entry.keys():
        return [stage]
    over = entry.get("foreach")
    if isinstance(over, str) and (found := PLACEHOLDER.fullmatch(over)):
        over = reduce(_below, found[1].split("."), values)
    if isinstance(over, dict):
        return [f"{stage}@{key}" for key in over]
    if not (locked := [name for name in revision.lock.stages if name.startswith(f"{stage}@")]):
        raise PipelineError(f"{revision}: {LOCK}: expected stages {stage}@…, as dvc.yaml has them, found none")
    return locked


def _below(level: Any, key: str) -> Any:
    return level.get(key) if isinstance(level, Mapping) else None

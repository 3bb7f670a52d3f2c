"""What dvc.lock says, read as plain YAML: which bytes each stage left. DVC itself is not needed for that."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist_pipeline.errors import PipelineError

LOCK = Path("dvc.lock")


def outputs(stage: str, lock: Path = LOCK) -> dict[str, str]:
    """The md5 of each output of a stage, by path. Raises PipelineError when the stage is not in dvc.lock."""
    stages: dict[str, Any] = (YAML(typ="safe").load(lock) or {}).get("stages", {}) if lock.exists() else {}
    if stage not in stages:
        raise PipelineError(f"{lock}: no stage {stage}; run `make repro` or `dvc repro` first")
    return {out["path"]: out["md5"] for out in stages[stage]["outs"]}

"""What dvc.lock says, read as plain YAML: which bytes each stage left. DVC itself is not needed for that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mnist_pipeline.errors import PipelineError

LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class Lock:
    """The stages of a dvc.lock by name."""

    path: Path
    stages: dict[str, Any]

    def outputs(self, stage: str) -> dict[str, str]:
        """The md5 of each output of a stage, by path. Raises PipelineError when dvc.lock does not have it."""
        if stage not in self.stages:
            raise PipelineError(f"{self.path}: no stage {stage}; run `make repro` or `dvc repro` first")
        return {out["path"]: out["md5"] for out in self.stages[stage]["outs"]}


def load(path: Path = LOCK) -> Lock:
    """Read a dvc.lock; one that is missing or empty has no stages. Raises PipelineError when it is no YAML."""
    try:
        content: dict[str, Any] = (YAML(typ="safe").load(path) if path.exists() else None) or {}
    except YAMLError as error:
        raise PipelineError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return Lock(path, content.get("stages", {}))

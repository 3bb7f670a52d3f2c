"""What dvc.lock says, read as plain YAML: which bytes each stage left. DVC itself is not needed for that."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mnist_pipeline.core.errors import PipelineError

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

    def results(self, model: str) -> dict[str, str]:
        """The md5 of everything that training and evaluation of a model left, by path."""
        return {path: md5 for stage in stages_of(model) for path, md5 in self.outputs(stage).items()}

    def check(self, stage: str) -> dict[str, str]:
        """The outputs of a stage. Raises PipelineError when a file is not the one that dvc.lock describes."""
        outputs = self.outputs(stage)
        for path, expected in outputs.items():
            found = md5(self.path.parent / path)
            if found != expected:
                raise PipelineError(
                    f"{path}: expected md5 {expected} as in {self.path}, found {found or 'no such file'}; "
                    "run `make repro`, or `dvc checkout` to get back what dvc.lock describes"
                )
        return outputs


def load(path: Path = LOCK) -> Lock:
    """Read a dvc.lock; one that is missing or empty has no stages. Raises PipelineError when it is no YAML."""
    return parse(path.read_text(encoding="utf-8") if path.exists() else "", path)


def parse(text: str, path: Path = LOCK) -> Lock:
    """The same from its text, as Git keeps it; `path` is for messages and for the files that it describes."""
    try:
        content: dict[str, Any] = YAML(typ="safe").load(text) or {}
    except YAMLError as error:
        raise PipelineError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return Lock(path, content.get("stages", {}))


def stages_of(model: str) -> tuple[str, str]:
    """The two stages whose outputs are one model's."""
    return f"train@{model}", f"evaluate@{model}"


def digest(outputs: dict[str, str]) -> str:
    """One SHA-256 for the outputs of a model: what makes two results the same."""
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()


def md5(path: Path) -> str:
    """What DVC writes into dvc.lock for a file or a folder; empty when there is none.

    A folder's is the md5 of a JSON list of its files with theirs, sorted by path, with `.dir` behind it.
    """
    if path.is_file():
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    files = {file.relative_to(path): md5(file) for file in path.rglob("*") if file.is_file()}
    listed = [{"md5": digest, "relpath": name.as_posix()} for name, digest in files.items()]
    listed.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest() + ".dir" if listed else ""

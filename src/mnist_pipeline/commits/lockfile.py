"""dvc.lock parsed as plain YAML, without DVC: which bytes each stage left. `revision` reads it from any commit."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mnist_pipeline.core import yaml_reader
from mnist_pipeline.core.errors import PipelineError

LOCK = Path("dvc.lock")
FOLDER = ".dir"  # how DVC marks the md5 of a folder


class Entry(BaseModel):
    """A file or folder; `md5` is None where DVC tracks something else, such as the ETag of a URL."""

    path: str
    md5: str | None = None


class Stage(BaseModel):
    cmd: Any = None
    deps: list[Entry] = []
    outs: list[Entry] = []
    params: dict[str, dict[str, Any]] = {}


class Content(BaseModel):
    """As much of a dvc.lock as is read here."""

    stages: dict[str, Stage] = {}


@dataclass(frozen=True)
class Lock:
    """The stages of a dvc.lock by name, each with the keys of `Stage`."""

    path: Path
    stages: dict[str, Any]

    def outputs(self, stage: str) -> dict[str, str]:
        """The md5 of each output of a stage that has one, by path. Raises PipelineError for an unknown stage."""
        if stage not in self.stages:
            raise PipelineError(f"{self.path}: no stage {stage}; run `make repro` or `dvc repro` first")
        return {out["path"]: out["md5"] for out in self.stages[stage]["outs"] if out["md5"]}

    def has_built(self, model: str) -> bool:
        """Whether a model was trained and evaluated."""
        return self.stages.keys() >= set(stages_of(model))

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
    """Read a dvc.lock; one that is missing or empty has no stages. Raises PipelineError when it is damaged."""
    try:
        return parse(path.read_bytes() if path.exists() else b"", path)
    except ValueError as error:
        raise PipelineError(f"{path}: {error}") from None


def parse(content: bytes, path: Path = LOCK) -> Lock:
    """The same from its bytes; `path` leads to the files that it describes. Raises ValueError, in one line."""
    try:
        parsed = YAML(typ="safe").load(content) or {}
    except (YAMLError, RecursionError) as error:
        raise ValueError(f"not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return Lock(path, Content.model_validate(parsed).model_dump()["stages"])
    except ValidationError as error:
        raise ValueError(yaml_reader.explain(error, parsed, ())) from None


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
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    files = {file.relative_to(path): md5(file) for file in path.rglob("*") if file.is_file()}
    listed = [{"md5": digest, "relpath": name.as_posix()} for name, digest in files.items()]
    listed.sort(key=lambda entry: entry["relpath"])
    return md5_of(json.dumps(listed).encode()) + FOLDER if listed else ""


def md5_of(content: bytes) -> str:
    """What DVC writes into dvc.lock for a file with this content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

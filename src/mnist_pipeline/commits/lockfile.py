"""dvc.lock parsed as plain YAML, without DVC: which bytes each stage left. `revision` reads it from any commit."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mnist_pipeline.core import yaml_reader
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.tables import flat

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


class Lock(BaseModel):
    """The stages of a dvc.lock by name; other keys of the file are passed over."""

    stages: dict[str, Stage] = {}

    def outputs(self, stage: str) -> dict[str, str]:
        """The md5 of each output of a stage that has one, by path. Raises PipelineError for an unknown stage."""
        if stage not in self.stages:
            raise PipelineError(f"{LOCK}: no stage {stage}; run `make repro` or `dvc repro` first")
        return {out.path: out.md5 for out in self.stages[stage].outs if out.md5}

    def results(self, model: str) -> dict[str, str]:
        """The md5 of everything that training and evaluation of a model left, by path."""
        return {path: md5 for stage in stages_of(model) for path, md5 in self.outputs(stage).items()}

    def inputs(self, *stages: str) -> set[tuple[str, str, str]]:
        """What these stages read and no stage makes: file, key, value; without a key the value is the file's md5."""
        read = [self.stages[stage] for stage in stages if stage in self.stages]
        made = [out.path for stage in self.stages.values() for out in stage.outs]
        files = {(dep.path, "", str(dep.md5)) for stage in read for dep in stage.deps if not _overlaps(dep.path, made)}
        params = [(file, flat(entry)) for stage in read for file, entry in stage.params.items()]
        commands = {("dvc.yaml", "cmd", str(stage.cmd)) for stage in read}
        return files | commands | {(file, key, str(value)) for file, entry in params for key, value in entry.items()}

    def check(self, stage: str) -> dict[str, str]:
        """The outputs of a stage. Raises PipelineError when a file here is not the one that dvc.lock describes."""
        outputs = self.outputs(stage)
        for path, expected in outputs.items():
            found = md5(Path(path))
            if found != expected:
                other = f"expected md5 {expected} as in {LOCK}, found {found or 'no such file'}"
                advice = f"run `mnist repro {stage}`, or `dvc checkout` to get back what dvc.lock describes"
                raise PipelineError(f"{path}: {other}; {advice}")
        return outputs


def _overlaps(path: str, outputs: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{out}/") or f"{out}/".startswith(f"{path}/") for out in outputs)


def load(path: Path = LOCK) -> Lock:
    """Read a dvc.lock; one that is missing or empty has no stages. Raises PipelineError when it is damaged."""
    try:
        return parse(path.read_bytes() if path.exists() else b"")
    except ValueError as error:
        raise PipelineError(f"{path}: {error}") from None


def parse(content: bytes) -> Lock:
    """What the bytes of a dvc.lock say. Raises ValueError, in one line."""
    try:
        parsed = YAML(typ="safe").load(content) or {}
        return Lock.model_validate(parsed)
    except (YAMLError, RecursionError) as error:
        raise ValueError(f"not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise ValueError(yaml_reader.explain(error, parsed, ())) from None


def stages_of(model: str) -> tuple[str, str]:
    """The two stages whose outputs are one model's."""
    return f"train@{model}", f"evaluate@{model}"


def digest(outputs: dict[str, str]) -> str:
    """One SHA-256 for the outputs of a model: what makes two results the same."""
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()


def md5(path: Path) -> str:
    """What DVC writes into dvc.lock for a file, or for a folder: the md5 of a JSON list of its files with theirs,
    sorted by path, with `.dir` behind it; empty when there is none."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    listed = listing(path)
    return md5_of(listed) + FOLDER if listed else ""


def listing(folder: Path) -> bytes:
    """That list, as DVC's cache has it; empty when there is no file."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    listed = [{"md5": md5(files[name]), "relpath": name} for name in sorted(files)]
    return json.dumps(listed).encode() if listed else b""


def md5_of(content: bytes) -> str:
    """What DVC writes into dvc.lock for a file with this content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

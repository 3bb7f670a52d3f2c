"""A state of this folder to read results from: a commit, tag, branch or DVC experiment, or the files as they are."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import LOCK, Lock
from mnist_pipeline.core import paths, yaml_reader
from mnist_pipeline.core.errors import PipelineError

WORKING_TREE = "working tree"
PREDICTIONS = ["index", "label", "predicted"]

Content = TypeVar("Content")


@dataclass(frozen=True)
class Revision:
    """A name as people gave it, and the commit that it means; none for the working tree, of which
    params.yaml, dvc.lock and which models there are, are asked once.
    """

    name: str
    commit: str | None

    def __str__(self) -> str:
        """The name, with the commit unless the name is its hash."""
        known = self.commit is None or self.commit.startswith(self.name)
        return self.name if known else f"{self.name} ({str(self.commit)[:10]})"

    def find(self, path: Path) -> str | None:
        """The text of a file; None when there is no such file."""
        if self.commit is not None:
            return git.show(self.commit, path.as_posix())
        return path.read_text(encoding="utf-8") if path.exists() else None

    def read(self, path: Path) -> str:
        """The same. Raises PipelineError when there is no such file."""
        text = self.find(path)
        if text is None:
            raise PipelineError(f"{self.name}: has no {path}; that is there once `make repro` ran and Git keeps it")
        return text

    def has(self, path: Path) -> bool:
        return self.find(path) is not None

    def json(self, path: Path) -> dict[str, Any]:
        """A JSON file that holds an object. Raises PipelineError when it is missing or damaged."""
        return self._parse(path, _object)

    def _parse(self, path: Path, reader: Callable[[str], Content]) -> Content:
        try:
            return reader(self.read(path))
        except (ValueError, RecursionError) as error:
            raise PipelineError(f"{self.name}: {path}: damaged: {' '.join(str(error).split())}") from None

    @cached_property
    def params(self) -> dict[str, Any]:
        """params.yaml as plain mappings."""
        return self._parse(paths.PARAMS, _mapping)

    @cached_property
    def lock(self) -> Lock:
        return lockfile.parse(self.read(LOCK))

    @cached_property
    def models(self) -> list[str]:
        """The models of params.yaml that were evaluated, in its order."""
        return [model for model in self.params.get("models", {}) if self.has(paths.metrics(model))]

    def metrics(self, model: str) -> dict[str, Any]:
        """What `evaluate` found of a model. Raises PipelineError when it is not there."""
        return self.json(paths.metrics(model))

    def predictions(self, model: str) -> pd.DataFrame:
        """A row a test image: `index`, `label` and `predicted`."""
        path = paths.test(model) / "predictions.csv"
        return self._parse(path, lambda text: pd.read_csv(io.StringIO(text), usecols=PREDICTIONS))

    def history(self, model: str) -> pd.DataFrame:
        """A row for each step that `train` noted of a model; what a row does not have is NaN."""
        return self._parse(paths.history(model), lambda text: pd.read_csv(io.StringIO(text)))


def _object(text: str) -> dict[str, Any]:
    content: Any = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"expected an object, found {type(content).__name__}")
    return content


def _mapping(text: str) -> dict[str, Any]:
    content: Any = yaml_reader.parse(text) or {}
    if not isinstance(content, dict) or not isinstance(content.get("models", {}), dict):
        raise ValueError("expected a mapping of keys, and one below `models`")
    return content


def at(name: str | None) -> Revision:
    """A revision by its name; without one the working tree. Raises PipelineError when Git knows none of that name."""
    return Revision(WORKING_TREE, None) if name is None else Revision(name, git.commit_of(name))

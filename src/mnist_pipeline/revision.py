"""A state of this folder to read results from: a commit, tag, branch or DVC experiment, or the files as they are."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from mnist_pipeline import git, lockfile, paths
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.lockfile import LOCK, Lock

WORKING_TREE = "working tree"
PARAMS = Path("params.yaml")


@dataclass(frozen=True)
class Revision:
    """A name as people gave it, and the commit that it means; none for the working tree."""

    name: str
    commit: str | None

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

    @property
    def params(self) -> dict[str, Any]:
        """params.yaml as plain mappings."""
        content: dict[str, Any] = YAML(typ="safe").load(self.read(PARAMS)) or {}
        return content

    @property
    def lock(self) -> Lock:
        return lockfile.parse(self.read(LOCK))

    @property
    def models(self) -> list[str]:
        """The models of params.yaml that were evaluated, in its order."""
        return [model for model in self.params.get("models", {}) if self.find(paths.metrics(model)) is not None]

    def metrics(self, model: str) -> dict[str, Any]:
        """What `evaluate` found of a model. Raises PipelineError when it is not there."""
        found: dict[str, Any] = json.loads(self.read(paths.metrics(model)))
        return found

    def predictions(self, model: str) -> pd.DataFrame:
        """A row a test image: `index`, `label` and `predicted`."""
        return pd.read_csv(io.StringIO(self.read(paths.test(model) / "predictions.csv")))


def at(name: str | None) -> Revision:
    """A revision by its name; without one the working tree. Raises PipelineError when Git knows none of that name."""
    return Revision(WORKING_TREE, None) if name is None else Revision(name, git.commit_of(name))

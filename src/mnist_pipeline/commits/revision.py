"""A state of the project to read from: a commit, tag, branch or DVC experiment, or the files as they are."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import LOCK, Lock
from mnist_pipeline.core import paths, yaml_reader
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.pipeline import dvc_program

if TYPE_CHECKING:
    import pandas as pd

WORKING_TREE = "working tree"
GRAPH = Path("dvc.yaml")
Content = TypeVar("Content")


@dataclass(frozen=True)
class Revision:
    """A name as people gave it, and the commit that it means; none for the working tree. What it knows is read once."""

    name: str
    commit: str | None

    def __str__(self) -> str:
        """The name, with the commit unless the name is its hash."""
        known = self.commit is None or self.commit.startswith(self.name)
        return self.name if known else f"{self.name} ({str(self.commit)[:10]})"

    def has(self, path: Path) -> bool:
        return path.is_file() if self.commit is None else path.as_posix() in self._committed

    @cached_property
    def _committed(self) -> set[str]:
        """All files of this folder that Git has at the commit, by their paths."""
        return set(git.ask("ls-tree", "-r", "-z", "--name-only", str(self.commit)).split("\0"))

    def content(self, path: Path) -> bytes | None:
        """The bytes of a file; None when there is no such file, or Git does not keep it."""
        if not self.has(path):
            return None
        return git.output("cat-file", "blob", f"{self.commit}:./{path}") if self.commit else path.read_bytes()

    def _read(self, path: Path, reader: Callable[[bytes], Content]) -> Content:
        content = self.content(path)
        if content is None:
            raise PipelineError(f"{self.name}: has no {path}; that is there once `make repro` ran and Git keeps it")
        try:
            return reader(content)
        except (ValueError, RecursionError) as error:
            raise PipelineError(f"{self.name}: {path}: damaged: {' '.join(str(error).split())}") from None

    def json(self, path: Path, *keys: str) -> dict[str, Any]:
        """A JSON object, and below each of these keys, if there, another. Raises PipelineError for anything else."""
        return self._read(path, lambda content: _mapping(json.loads(content), *keys))

    @cached_property
    def params(self) -> dict[str, Any]:
        """params.yaml as plain mappings, whatever keys it had then. Raises PipelineError as `json` does."""
        return self._read(paths.PARAMS, lambda content: _mapping(yaml_reader.parse(content.decode()) or {}, "models"))

    @cached_property
    def graph(self) -> dict[str, Any]:
        """dvc.yaml as plain mappings. Raises PipelineError as `json` does."""
        return self._read(GRAPH, lambda content: _mapping(yaml_reader.parse(content.decode()) or {}, "stages"))

    @property
    def recipes(self) -> dict[str, Any]:
        """What params.yaml has under `models`, by their names."""
        return dict(self.params.get("models", {}))

    @cached_property
    def lock(self) -> Lock:
        """dvc.lock. Raises PipelineError as `json` does."""
        return self._read(LOCK, lockfile.parse)

    @cached_property
    def models(self) -> list[str]:
        """The models of params.yaml that were evaluated, in its order."""
        return [model for model in self.recipes if self.has(paths.metrics(model))]

    def metrics(self, model: str) -> dict[str, Any]:
        """What `evaluate` found of a model. Raises PipelineError when it is not there."""
        return self.json(paths.metrics(model))

    def predictions(self, model: str) -> "pd.DataFrame":
        """A row a test image: `index`, and as places in `classes` its `label` and the one `predicted`."""
        import pandas as pd  # takes half a second, and few commands need it

        path, columns = paths.test(model) / "predictions.csv", ["index", "label", "predicted"]
        place = dict.fromkeys(columns[1:], self.classes.index)
        return self._read(path, lambda content: pd.read_csv(io.BytesIO(content), usecols=columns, converters=place))

    @cached_property
    def classes(self) -> list[str]:
        """What the labels of its data are called; the ten digits where it does not say so."""
        data = self.json(paths.DATA_METRICS) if self.has(paths.DATA_METRICS) else {}
        return list(data.get("classes", DIGITS))

    def history(self, model: str) -> "pd.DataFrame":
        """A row for each step that `train` noted of a model; what a row does not have is NaN."""
        import pandas as pd

        return self._read(paths.history(model), lambda content: pd.read_csv(io.BytesIO(content)))

    @cached_property
    def cache(self) -> Path:
        """The folder of DVC's cache, wherever that is configured."""
        return dvc_program.cache()

    def cached(self, md5: str) -> bytes | None:
        """What DVC's cache holds under an md5; None when that is not there, or damaged."""
        path = self.cache / "files" / "md5" / md5[:2] / md5[2:]
        content = path.read_bytes() if path.is_file() else b""
        return content if lockfile.md5_of(content) == md5.removesuffix(lockfile.FOLDER) else None

    def listing(self, md5: str) -> dict[str, str] | None:
        """The md5 of each file of a folder; None when the cache does not know that folder."""
        content = self.cached(md5)
        return None if content is None else {entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def _mapping(content: Any, *keys: str) -> dict[str, Any]:
    if not isinstance(content, dict) or not all(isinstance(content.get(key, {}), dict) for key in keys):
        raise ValueError(f"expected a mapping{''.join(f', and one below `{key}`' for key in keys)}")
    return content


def at(name: str | None) -> Revision:
    """A revision by its name; without one the working tree. Raises PipelineError when Git knows none of that name."""
    if name is None:
        return Revision(WORKING_TREE, None)
    return Revision(name.encode(errors="replace").decode(), git.commit_of(name))  # names of branches may be any bytes

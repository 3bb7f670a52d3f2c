"""The files that a commit promises: what its dvc.lock says of each, and their bytes from Git or from DVC's cache."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import Lock
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline import dvc_program

FOLDER = ".dir"  # how DVC marks the md5 of a folder
NOWHERE = (
    "it is in neither Git nor this repository's cache; "
    "`dvc pull` brings it from a remote, `mnist repro` at that commit makes it"
)


@dataclass(frozen=True)
class Originals:
    """A commit, and the folder of DVC's cache where this repository keeps what Git does not."""

    commit: str
    cache: Path

    @cached_property
    def lock(self) -> Lock:
        """dvc.lock at the commit. Raises PipelineError when the commit has none."""
        text = git.show(self.commit, lockfile.LOCK.as_posix())
        if text is None:
            raise PipelineError(f"{self.commit}: has no {lockfile.LOCK}; that is there once `make repro` ran")
        lock = lockfile.parse(text)
        if not lock.stages:
            raise PipelineError(f"{self.commit}: {lockfile.LOCK}: expected stages, found none: nothing is promised")
        return lock

    @cached_property
    def models(self) -> list[str]:
        """The models of params.yaml at the commit."""
        return list(Revision(self.commit, self.commit).params.get("models", {}))

    @property
    def stages(self) -> list[str]:
        """All that has to run: the stages of dvc.lock, without those of former models, and both of each model."""
        both = [stage for model in self.models for stage in lockfile.stages_of(model)]
        return list(dict.fromkeys([*filter(self.is_current, self.lock.stages), *both]))

    def is_current(self, stage: str) -> bool:
        """Whether a stage is of no model, or of one of params.yaml: DVC leaves former ones in dvc.lock."""
        return stage.partition("@")[2] in ("", *self.models)

    def kept(self, path: str) -> bytes | None:
        """A file as Git has it; None when Git does not keep it."""
        return git.blob(self.commit, path) if path in self._names else None

    @cached_property
    def _names(self) -> set[str]:
        """All files of this folder that Git has, by their paths."""
        return set(git.ask("ls-tree", "-r", "-z", "--name-only", self.commit).split("\0"))

    def cached(self, md5: str) -> bytes | None:
        """A file as DVC's cache has it; None when it is not there, or damaged."""
        path = self.cache / "files" / "md5" / md5[:2] / md5[2:]
        content = path.read_bytes() if path.is_file() else None
        return content if content is not None and digest(content) == md5.removesuffix(FOLDER) else None

    def listing(self, md5: str) -> dict[str, str] | None:
        """The md5 of each file of a folder; None when the cache does not know that folder."""
        content = self.cached(md5)
        return None if content is None else {entry["relpath"]: entry["md5"] for entry in json.loads(content)}

    def read(self, path: str) -> bytes:
        """A file by its path, from Git or from the cache. Raises PipelineError when it is in neither."""
        content = self.kept(path) or next(map(self.cached, self._named(path)), None)
        if content is None:
            raise PipelineError(f"{path} as {self.commit} has it: {NOWHERE}")
        return content

    def _named(self, path: str) -> Iterator[str]:
        """The md5 that dvc.lock, or the listing of a folder in it, gives a path."""
        for stage in self.lock.stages:
            for output, md5 in self.lock.outputs(stage).items():
                if path == output:
                    yield md5
                elif path.startswith(f"{output}/"):
                    name = path.removeprefix(f"{output}/")
                    yield from (md5 for other, md5 in (self.listing(md5) or {}).items() if other == name)


def at(commit: str) -> Originals:
    """Those of a commit of this repository. Raises PipelineError when DVC can't say where its cache is."""
    return Originals(commit, Path(dvc_program.run("cache", "dir")))


def digest(content: bytes) -> str:
    """What DVC writes into dvc.lock for a file with this content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

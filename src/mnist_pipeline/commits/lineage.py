"""From a commit to its models, and from a model back to the commits that hold it; both by what dvc.lock says."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import LOCK
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.training import checkpoints

CACHE = Path(".dvc/cache/files/md5")


@dataclass(frozen=True)
class Built:
    """A model as one commit has it: md5s of its results by path, and its metrics."""

    model: str
    results: dict[str, str]
    figures: dict[str, Any]

    @property
    def content(self) -> str:
        return lockfile.digest(self.results)

    @property
    def folder_md5(self) -> str:
        """What dvc.lock says of `models/NAME`: the digest of a list of its files with theirs."""
        return self.results[paths.model(self.model).as_posix()]

    @property
    def weights_md5(self) -> str | None:
        """The digest of the weights alone, from that list; None where DVC's cache does not have it (`dvc fetch`)."""
        listing = paths.project() / CACHE / self.folder_md5[:2] / self.folder_md5[2:]
        files = json.loads(listing.read_bytes()) if listing.exists() else []
        return next((file["md5"] for file in files if file["relpath"] == checkpoints.WEIGHTS), None)


def models_at(commit: str) -> list[Built]:
    """All models of params.yaml that dvc.lock describes, as they stand at a commit.

    Raises PipelineError when that commit has no dvc.lock or no such model.
    """
    params, text = git.show(commit, paths.PARAMS.name), git.show(commit, LOCK.as_posix())
    if params is None or text is None:
        raise PipelineError(f"{commit[:10]}: has no {LOCK if params else paths.PARAMS}; nothing was built there")
    lock = lockfile.parse(text)
    named = YAML(typ="safe").load(params).get("models", {})
    found = [model for model in named if all(stage in lock.stages for stage in lockfile.stages_of(model))]
    if not found:
        raise PipelineError(f"{commit[:10]}: dvc.lock describes none of the models of params.yaml")
    return [Built(model, lock.results(model), _figures(commit, model)) for model in found]


def model_at(commit: str, model: str) -> Built:
    """One of them. Raises PipelineError that lists those there are."""
    there = {built.model: built for built in models_at(commit)}
    if model not in there:
        raise PipelineError(f"{commit[:10]}: no model {model}; there are: {', '.join(there)}")
    return there[model]


def _figures(commit: str, model: str) -> dict[str, Any]:
    text = git.show(commit, paths.metrics(model).as_posix())
    return json.loads(text) if text else {}


def commits_with(model: str, results: dict[str, str]) -> list[str]:
    """The commits, branches and experiments whose dvc.lock holds exactly these results, newest first, a line each."""
    commits: list[str] = []
    for blob, holders in git.commits_by_blob(LOCK.as_posix()).items():
        text = git.ask("cat-file", "blob", blob)
        if all(md5 in text for md5 in results.values()) and _results(text, model) == results:  # reading YAML is slow
            commits += holders
    if not commits:
        return []
    names = [f"--decorate-refs=refs/{kind}" for kind in ("heads", "tags", "remotes", "exps")]
    show = ("log", "--no-walk=sorted", "--stdin", "--date=short", "--format=%h %ad %s%d", *names)
    shown = git.ask(*show, stdin="\n".join(commits))
    return shown.splitlines()


def _results(lock: str, model: str) -> dict[str, str]:
    parsed = lockfile.parse(lock)
    complete = all(stage in parsed.stages for stage in lockfile.stages_of(model))
    return parsed.results(model) if complete else {}

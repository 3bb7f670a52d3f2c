"""From a commit to its models, and from a model back to the commits that hold it; both by what dvc.lock says."""

from dataclasses import dataclass
from typing import Any

from mnist_pipeline.commits import git, lockfile, revision
from mnist_pipeline.commits.lockfile import LOCK
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError


@dataclass(frozen=True)
class Built:
    """A model as one revision has it."""

    revision: Revision
    model: str

    @property
    def content(self) -> str:
        return lockfile.digest(self.revision.lock.results(self.model))

    @property
    def folder_md5(self) -> str | None:
        """What dvc.lock says of `models/NAME`: the digest of a list of its files with theirs."""
        return self.revision.lock.results(self.model).get(paths.model(self.model).as_posix())

    @property
    def weights_md5(self) -> str | None:
        """The digest of the weights alone, from that list; None where DVC's cache does not have it (`dvc fetch`)."""
        return (self.revision.listing(self.folder_md5 or "") or {}).get(paths.WEIGHTS)

    def network_md5(self, file: str) -> str | None:
        """The digest of the network's file of this name that dvc.lock says it was trained with."""
        deps = self.revision.lock.stages[f"train@{self.model}"].deps
        return next((dep.md5 for dep in deps if dep.path.endswith(f"/networks/{file}")), None)

    @property
    def figures(self) -> dict[str, Any]:
        """What `evaluate` found; empty where Git does not keep it."""
        return self.revision.metrics(self.model) if self.revision.has(paths.metrics(self.model)) else {}


def models_at(name: str) -> list[Built]:
    """The models of params.yaml that dvc.lock describes at a commit, tag, branch or experiment. Raises PipelineError
    when there is none, or no dvc.lock, or one of the two files is damaged."""
    found = revision.at(name)
    built = [Built(found, model) for model in found.recipes if found.lock.stages.keys() >= {*lockfile.stages_of(model)}]
    if not built:
        raise PipelineError(f"{found}: dvc.lock describes none of the models of params.yaml")
    return built


def model_at(name: str, model: str) -> Built:
    """One of them. Raises PipelineError that lists those there are."""
    there = {built.model: built for built in models_at(name)}
    if model not in there:
        raise PipelineError(f"{name}: no model {model}; there are: {', '.join(there)}")
    return there[model]


def commits_with(model: str, results: dict[str, str]) -> list[str]:
    """The commits, branches and experiments whose dvc.lock holds exactly these results, newest first, a line each."""
    commits = git.ask("rev-list", "--all", "--date-order").split()
    questions = "\n".join(f"{commit}:./{LOCK}" for commit in commits)
    locks = git.ask("cat-file", "--batch-check=%(objectname)", stdin=questions).splitlines()
    holding = {lock for lock in set(locks) if not lock.endswith(" missing") and _holds(lock, model, results)}
    found = [commit for commit, lock in zip(commits, locks, strict=True) if lock in holding]
    if not found:  # git would show HEAD
        return []
    names = [f"--decorate-refs=refs/{kind}" for kind in ("heads", "tags", "remotes", "exps")]
    show = "--no-walk=sorted", "--stdin", "--date=short", "--format=%h %ad %s%d"
    return git.ask("log", *show, *names, stdin="\n".join(found)).split("\n")


def _holds(blob: str, model: str, results: dict[str, str]) -> bool:
    """Whether a dvc.lock, named as an object of git, has these results; a damaged one has none."""
    content = git.output("cat-file", "blob", blob)
    if not all(md5.encode() in content for md5 in results.values()):  # reading YAML is slow
        return False
    try:
        return lockfile.parse(content).results(model) == results
    except (ValueError, PipelineError):
        return False

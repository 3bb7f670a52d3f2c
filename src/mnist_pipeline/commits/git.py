"""Questions to Git about this repository."""

import os
import subprocess
from pathlib import Path

from mnist_pipeline.core.errors import PipelineError


def ask(*arguments: str, stdin: str = "") -> str:
    """What a git command prints. Raises PipelineError with what git says when it fails, or when there is no git."""
    return _run(arguments, stdin=stdin).decode("utf-8", errors="replace").strip()


def ask_in(folder: Path, *arguments: str) -> str:
    """The same of the repository in a folder, even where GIT_DIR and the like name another, as in a hook."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    printed = _run(("-C", str(folder), *arguments), environment=environment)
    return printed.decode("utf-8", errors="replace").strip()


def _run(arguments: tuple[str, ...], stdin: str = "", environment: dict[str, str] | None = None) -> bytes:
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, input=stdin.encode(), env=environment, check=False)
    except FileNotFoundError:
        raise PipelineError("git: no such program on the PATH; install it") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", errors="replace").split()) or f"exit code {done.returncode}"
        raise PipelineError(f"git {' '.join(arguments)}: {said}")
    return done.stdout


def commit_of(revision: str) -> str:
    """The commit that a hash, tag, branch or name of a DVC experiment means.

    Raises PipelineError for all else, and where an experiment shares its name with another, a branch or a tag.
    """
    refs = ask("for-each-ref", "--format=%(refname)", "refs/exps", "refs/heads", "refs/tags").split()
    found = [ref for ref in refs if ref.startswith("refs/exps/") and _is(ref, revision)]
    bearers = [*found, *(ref for ref in refs if ref in (f"refs/heads/{revision}", f"refs/tags/{revision}"))]
    if found and len(bearers) > 1:
        raise PipelineError(f"{revision}: {len(bearers)} refs have that name; say which: {', '.join(bearers)}")
    try:
        return ask("rev-parse", "--verify", "--quiet", f"{(found or [revision])[0]}^{{commit}}")
    except PipelineError:
        raise PipelineError(
            f"{revision}: no commit, tag, branch or experiment of this repository; see: git log, dvc exp list --all"
        ) from None


def _is(ref: str, experiment: str) -> bool:
    """DVC keeps an experiment under refs/exps/<baseline>/<name>."""
    return ref.rpartition("/")[2] == experiment


def show(commit: str, path: str) -> str | None:
    """A file of this folder at a commit; None when that commit has none."""
    content = blob(commit, path)
    return None if content is None else content.decode("utf-8", errors="replace").strip()


def blob(commit: str, path: str) -> bytes | None:
    """The bytes of a file of this folder at a commit; None when that commit has none."""
    try:
        return _run(("show", f"{commit}:./{path}"))
    except PipelineError:
        if ask("ls-tree", "--name-only", commit, f"./{path}"):
            raise
        return None


def commits_by_blob(path: str) -> dict[str, list[str]]:
    """Each content of a file of this folder, as git's object, with all commits that hold it, newest first."""
    prefix, commits = ask("rev-parse", "--show-prefix"), ask("rev-list", "--all", "--date-order").split()
    questions = "\n".join(f"{commit}:{prefix}{path}" for commit in commits)
    answers = ask("cat-file", "--batch-check=%(objectname)", stdin=questions).splitlines()
    found: dict[str, list[str]] = {}
    for commit, answer in zip(commits, answers, strict=True):
        if not answer.endswith(" missing"):
            found.setdefault(answer, []).append(commit)
    return found

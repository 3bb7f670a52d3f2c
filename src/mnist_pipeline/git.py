"""Questions to Git about this repository."""

import subprocess

from mnist_pipeline.errors import PipelineError


def ask(*arguments: str, stdin: str = "") -> str:
    """What a git command prints. Raises PipelineError with what git says when it fails, or when there is no git."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, encoding="utf-8", errors="replace", input=stdin, check=False
        )
    except FileNotFoundError:
        raise PipelineError("git: no such program on the PATH; install it") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise PipelineError(f"git {' '.join(arguments)}: {said}")
    return done.stdout.strip()


def commit_of(revision: str) -> str:
    """The commit that a hash, tag, branch or name of a DVC experiment means. Raises PipelineError for all else."""
    found = [ref for ref in ask("for-each-ref", "--format=%(refname)", "refs/exps").split() if _is(ref, revision)]
    if len(found) > 1:
        raise PipelineError(f"{revision}: {len(found)} experiments have that name; say which: {', '.join(found)}")
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
    if not ask("ls-tree", "--name-only", commit, f"./{path}"):
        return None
    return ask("show", f"{commit}:./{path}")


def blob(commit: str, path: str) -> bytes:
    """The bytes of a file of this folder that a commit has."""
    return subprocess.run(["git", "show", f"{commit}:./{path}"], capture_output=True, check=True).stdout


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

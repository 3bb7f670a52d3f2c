"""Questions to Git about this repository."""

import os
import subprocess
from pathlib import Path

from mnist_pipeline.core.errors import PipelineError

SETTINGS = ("-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8")  # whatever a user's are


def ask(*arguments: str, stdin: str = "", folder: Path | None = None) -> str:
    """What a git command prints, without its last line break; bytes that are not UTF-8 become U+FFFD. `folder` asks the
    repository there, even where GIT_DIR names another, as in a hook. Raises PipelineError with what git says."""
    return output(*arguments, stdin=stdin, folder=folder).decode("utf-8", errors="replace").removesuffix("\n")


def output(*arguments: str, stdin: str = "", folder: Path | None = None) -> bytes:
    """The bytes that a git command prints; the same errors."""
    command = ["git", *SETTINGS, *arguments]
    environment = {name: value for name, value in os.environ.items() if not (folder and name.startswith("GIT_"))}
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, input=stdin.encode(), env=environment)
    except FileNotFoundError:
        raise PipelineError("git: no such program on the PATH; install it") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", errors="replace").split()) or f"exit code {done.returncode}"
        raise PipelineError(f"git {' '.join(arguments)}: {said}")
    return done.stdout


def commit_of(revision: str) -> str:
    """The commit that a hash, tag, branch or name of a DVC experiment (refs/exps/<baseline>/<name>) means. Raises
    PipelineError for all else, and where an experiment shares its name with another, a branch or a tag."""
    refs = ask("for-each-ref", "--format=%(refname)", "refs/exps", "refs/heads", "refs/tags").split()
    found = [ref for ref in refs if ref.startswith("refs/exps/") and ref.rpartition("/")[2] == revision]
    bearers = [*found, *(ref for ref in refs if ref in (f"refs/heads/{revision}", f"refs/tags/{revision}"))]
    if found and len(bearers) > 1:
        raise PipelineError(f"{revision}: {len(bearers)} refs have that name; say which: {', '.join(bearers)}")
    try:
        return ask("rev-parse", "--verify", "--quiet", f"{(found or [revision])[0]}^{{commit}}")
    except PipelineError:
        known = "commit, tag, branch or experiment of this repository; see: git log, dvc exp list --all"
        raise PipelineError(f"{revision}: no {known}") from None

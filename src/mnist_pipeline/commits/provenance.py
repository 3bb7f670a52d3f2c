"""Where a revision's results come from: the commit, what was changed since and why, and the digests in dvc.lock."""

from pathlib import Path
from typing import Any

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import LOCK, Lock
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Runtime


def of(revision: Revision) -> dict[str, Any]:
    """`commit` (hash), `date` (of that commit), `subject`; for the working tree also `changes`, as git prints them.

    Raises PipelineError where there is no Git repository or no commit.
    """
    shown = git.ask("show", "--no-patch", "--format=%H%n%cs%n%s", revision.commit or "HEAD")
    commit, date, subject = shown.split("\n")
    changes = None if revision.commit else git.ask("status", "--porcelain", "--", ".").splitlines()
    return {"name": revision.name, "commit": commit, "date": date, "subject": subject, "changes": changes}


def outputs(revision: Revision) -> list[dict[str, Any]]:
    """`stage`, `path` and `md5` of every output in dvc.lock, sorted by path.

    For the working tree also `here`: whether what stands at the path is that. Raises PipelineError without a dvc.lock.
    """
    lock = revision.lock
    rows = [
        {"stage": stage, "path": path, "md5": md5} for stage in lock.stages for path, md5 in lock.outputs(stage).items()
    ]
    rows.sort(key=lambda row: row["path"])
    return rows if revision.commit else [row | {"here": _state(row["path"], row["md5"])} for row in rows]


def uncommitted(runtime: Runtime) -> str:
    """One line on results here that are not those of HEAD: how many files, why, and how to take them back.

    Empty where dvc.lock is that of HEAD, or where Git has none.
    """
    try:
        if not _changed(LOCK.as_posix()):
            return ""
        committed = Revision("HEAD", "HEAD").lock
    except PipelineError:  # no repository, no commit, or none with a dvc.lock
        return ""
    lock = lockfile.load()
    outs = {path for stage in lock.stages for path in lock.outputs(stage)}
    made, read = _changed(LOCK.as_posix(), *outs), _read(lock)
    newer = {path for path, _ in read ^ _read(committed)}  # also inputs that Git has already, but not their results
    newer -= {str(folder) for out in outs for folder in (Path(out), *Path(out).parents)}
    inputs = sorted({*newer, *_changed("dvc.yaml", *(path for path, _ in read))} - {*made})
    native = portable.obstacle(runtime) or "as runtime.arithmetic says"
    why = [f"{_heads(inputs, ', ')} changed"] if inputs else []
    why += [f"this machine computes in native arithmetic ({native})"] if portable.expected(runtime) == "native" else []
    cause = f"since {' and '.join(why)}" if why else "though no input changed: see `mnist verify-repro --here`"
    which = _heads(made, " ")
    keep = f"`git add {which}` and `git commit` keep them, `git checkout HEAD -- {which}` takes them back"
    return f"files that differ from the committed ones: {len(made)}, {cause}; {keep}"


def _read(lock: Lock) -> set[tuple[str, str | None]]:
    """What stages had before them: files and folders with their digests, parameters, commands."""
    deps = {(dep.path, dep.md5) for stage in lock.stages.values() for dep in stage.deps}
    params = {(path, str(value)) for stage in lock.stages.values() for path, value in stage.params.items()}
    return deps | params | {("dvc.yaml", f"{name}: {stage.cmd}") for name, stage in lock.stages.items()}


def _changed(*names: str) -> list[str]:
    """Which of these files and folders, or files in them, differ from HEAD: paths from the top of the repository."""
    return git.ask("diff", "--name-only", "-z", "HEAD", "--", *names).split("\0")[:-1]


def _heads(changed: list[str], separator: str) -> str:
    """The files and folders here, or at the top of the repository, in which these are."""
    prefix = git.ask("rev-parse", "--show-prefix")
    return separator.join(dict.fromkeys(path.removeprefix(prefix).partition("/")[0] for path in changed))


def _state(path: str, expected: str) -> str:
    found = lockfile.md5(Path(path))
    return "as in dvc.lock" if found == expected else "differs" if found else "not here"

"""Where a revision's results come from: the commit, what was changed since, and the digests in dvc.lock."""

from pathlib import Path
from typing import Any

from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.revision import Revision


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


def _state(path: str, expected: str) -> str:
    found = lockfile.md5(Path(path))
    return "as in dvc.lock" if found == expected else "differs" if found else "not here"

"""Where results come from: commit, changes since and why, digests in dvc.lock; machine and times in recorded.json."""

import shlex
from pathlib import Path
from typing import Any

from mnist_pipeline.arithmetic import machine, portable
from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import LOCK
from mnist_pipeline.commits.revision import Revision, at
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_json
from mnist_pipeline.core.params import Runtime


def of(revision: Revision) -> dict[str, Any]:
    """`name`, `commit` (hash), its `date` and `subject`; for the working tree also `changes`, as git prints them.
    Raises PipelineError where there is no Git repository or no commit."""
    commit, date, subject = git.ask("show", "--no-patch", "--format=%H%n%cs%n%s", revision.commit or "HEAD").split("\n")
    changes = None if revision.commit else git.ask("status", "--porcelain", "--", ".").splitlines()
    return {"name": revision.name, "commit": commit, "date": date, "subject": subject, "changes": changes}


def outputs(revision: Revision) -> list[dict[str, Any]]:
    """`stage`, `path` and `md5` of every output in dvc.lock, sorted by path; for the working tree also `here`: whether
    what stands at the path is that. Raises PipelineError without a dvc.lock."""
    lock = revision.lock
    made = sorted((path, md5, stage) for stage in lock.stages for path, md5 in lock.outputs(stage).items())
    rows = [{"stage": stage, "path": path, "md5": md5} for path, md5, stage in made]
    return rows if revision.commit else [row | {"here": _state(row["path"], row["md5"])} for row in rows]


def uncommitted(runtime: Runtime) -> str:
    """One line on results here that are not those of HEAD: how many files, why, and how to take them back; empty where
    dvc.lock is that of HEAD, or where Git has none."""
    try:
        if not _changed(LOCK.as_posix()):
            return ""
        committed = Revision("HEAD", "HEAD").lock
    except PipelineError:  # no repository, no commit, or none with a dvc.lock
        return ""
    lock = lockfile.load()
    outs = {path for stage in lock.stages for path in lock.outputs(stage)}
    made, read = _changed(LOCK.as_posix(), *outs), lock.inputs(*lock.stages)
    newer = read ^ committed.inputs(*committed.stages)  # also inputs that Git has already, but not their results
    inputs = sorted({file for file, _, _ in newer}.union(_changed("dvc.yaml", *(file for file, _, _ in read))))
    native = portable.obstacle(runtime) or "as runtime.arithmetic says"
    why = [f"{_heads(inputs, ', ')} changed"] if inputs else []
    why += [f"this machine computes in native arithmetic ({native})"] if portable.expected(runtime) == "native" else []
    models = [stage.partition("train@")[2] for stage in lock.stages if stage.startswith("train@") and not why]
    others = [model for model in models if paths.manifest(model).exists() and not portable.is_that_of(model, runtime)]
    why += [f"{', '.join(others)} here: not trained in this machine's arithmetic"] if others else []
    cause = f"since {' and '.join(why)}" if why else "though no input changed: see `mnist verify-repro --here`"
    which, back = (" ".join(_alone(files)) for files in (made, _changed(LOCK.as_posix(), *outs, how="--diff-filter=a")))
    keep = f"`git add {which}` and `git commit` keep them, `git checkout HEAD -- {back}` takes them back"
    return f"files that differ from the committed ones: {len(made)}, {cause}; {keep}"


def _changed(*names: str, how: str = "--no-renames") -> list[str]:
    """Which of these files and folders, or files in them, differ from HEAD: paths from the top of the repository."""
    return git.ask("diff", "--no-renames", "--name-only", "-z", how, "HEAD", "--", *names).split("\0")[:-1]


def _heads(changed: list[str], separator: str) -> str:
    """The files and folders here, or at the top of the repository, in which these are."""
    prefix = git.ask("rev-parse", "--show-prefix")
    return separator.join(dict.fromkeys(path.removeprefix(prefix).partition("/")[0] for path in changed))


def _alone(changed: list[str]) -> list[str]:
    """These files, but the folders they are in where nothing else there differs from HEAD or is staged, for a shell."""
    prefix = git.ask("rev-parse", "--show-prefix")
    here = [path.removeprefix(prefix) for path in changed]
    heads = {path: path.partition("/")[0] for path in here}
    whole = {head for head in heads.values() if {*_changed(head), *_changed(head, how="--cached")} <= set(changed)}
    return [shlex.quote(name) for name in dict.fromkeys(heads[path] if heads[path] in whole else path for path in here)]


def _state(path: str, expected: str) -> str:
    found = lockfile.md5(Path(path))
    return "as in dvc.lock" if found == expected else "differs" if found else "not here"


def recorded(there: Revision, key: str) -> dict[str, Any]:
    """`machine` or `core_seconds` of a revision; empty where none is recorded. Raises PipelineError when damaged."""
    return there.json(paths.RECORDED, key).get(key, {}) if there.has(paths.RECORDED) else {}


def seconds(there: Revision | None = None) -> dict[str, float]:
    """Core-seconds of each stage as last recorded: what the longest-first order goes by. Empty without a record."""
    found = recorded(there or at(None), "core_seconds")
    return {stage: figure for stage, figure in found.items() if isinstance(figure, int | float)}


def differences(recorded: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Where this machine is not the recorded one: what, how it was recorded, and how it is here."""
    found = machine.describe()
    names = [name for name in recorded | found if recorded.get(name) != found.get(name)]
    return {name: (recorded.get(name, "not recorded"), found.get(name, "not here")) for name in names}


def record(ran: dict[str, float]) -> None:
    """Note this machine and the stages that ran on it; those that did not keep their figure if it came from here."""
    kept = {} if differences(recorded(at(None), "machine")) else seconds()
    write_json(paths.RECORDED, {"machine": machine.describe(), "core_seconds": dict(sorted((kept | ran).items()))})

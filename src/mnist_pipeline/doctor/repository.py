"""Git, DVC, params.yaml, data and disk of this folder."""

import shutil
import tempfile
from pathlib import Path

from mnist_pipeline.core import paths
from mnist_pipeline.doctor.finding import Finding

FREE_GIB = (1.0, 8.0)  # the first for data, models and their copies in DVC's cache; the second for .venv too
NEEDED = ("dvc.yaml", paths.PARAMS.name)


def is_one() -> bool:
    """Whether this folder holds a pipeline."""
    return all(Path(name).exists() for name in NEEDED)


def folder() -> Finding:
    here = Path.cwd()
    if not is_one():
        advice = "cd to the root of a clone; what needs one was not looked at"
        return Finding("folder", "mend", f"{here}: expected {' and '.join(NEEDED)}", advice)
    try:
        tempfile.TemporaryFile(dir=here).close()
    except OSError as error:
        return Finding(
            "folder", "mend", f"{here}: can't be written to: {error.strerror}", "chmod u+w, or clone elsewhere"
        )
    return Finding("folder", "ok", str(here))


def git() -> Finding:
    from mnist_pipeline.commits import git
    from mnist_pipeline.core.errors import PipelineError

    try:
        return Finding("git", "ok", git.ask("log", "-1", "--format=%h %s"))
    except PipelineError as error:
        return Finding("git", "mend", str(error), "install git, and work in a clone with at least one commit")


def cache() -> Finding:
    """DVC's cache, wherever `dvc config cache.dir` has it."""
    from mnist_pipeline.core.errors import PipelineError
    from mnist_pipeline.pipeline import dvc_program

    try:
        place = Path(dvc_program.run("cache", "dir"))
    except PipelineError as error:
        return Finding("dvc cache", "mend", str(error), "work in a clone; there, `dvc cache dir` names it")
    if not place.exists():
        return Finding("dvc cache", "note", f"{place}: nothing there yet", "make repro fills it")
    tempfile.TemporaryFile(dir=place).close()
    return Finding("dvc cache", "ok", str(place))


def params() -> Finding:
    from mnist_pipeline.core import params
    from mnist_pipeline.core.errors import PipelineError

    try:
        settings = params.load()
    except PipelineError as error:
        return Finding("params.yaml", "mend", str(error), "edit it; what needs it was not looked at")
    return Finding("params.yaml", "ok", f"{len(settings.models)} models: {', '.join(settings.models)}")


def data() -> Finding:
    """The decompressed files against dvc.lock: those that `verify` held against their digests."""
    from mnist_pipeline.commits import lockfile

    if not all(path.exists() for path in paths.IDX_FILES):
        return Finding("data", "note", f"not all of {paths.IDX}/ is there", "make repro downloads it")
    expected = lockfile.load().outputs("verify")[paths.IDX.as_posix()]
    if lockfile.md5(paths.IDX) == expected:
        return Finding("data", "ok", f"{paths.IDX}/ as in dvc.lock")
    return Finding(
        "data", "mend", f"{paths.IDX}/ is not what dvc.lock describes", "make repro, or dvc checkout --force data/idx"
    )


def disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found = f"{free:.1f} GiB free"
    if free < FREE_GIB[0]:
        return Finding("disk", "mend", found, f"free {FREE_GIB[0]:.0f} GiB: data, models and DVC's cache need it")
    if free < FREE_GIB[1]:
        return Finding("disk", "note", found, f"make setup in another clone needs {FREE_GIB[1]:.0f} GiB")
    return Finding("disk", "ok", found)

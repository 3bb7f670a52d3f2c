"""Git, DVC, params.yaml and data of this folder."""

import tempfile
from pathlib import Path

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.doctor.finding import FindingError

NEEDED = ("dvc.yaml", paths.PARAMS.name)


def is_one() -> bool:
    """Whether this folder holds a pipeline."""
    return all(Path(name).exists() for name in NEEDED)


def folder() -> str:
    here = Path.cwd()
    if not is_one():
        advice = "cd to the root of a clone; what needs one was not looked at"
        raise FindingError(f"{here}: expected {' and '.join(NEEDED)}", advice)
    try:
        tempfile.TemporaryFile(dir=here).close()
    except OSError as error:
        raise PipelineError(f"{here}: can't be written to: {error.strerror}") from None
    return str(here)


def git() -> str:
    from mnist_pipeline.commits import git

    return git.ask("log", "-1", "--format=%h %s")


def cache() -> str:
    """DVC's cache, wherever `dvc config cache.dir` has it."""
    from mnist_pipeline.pipeline import dvc_program

    place = Path(dvc_program.run("cache", "dir"))
    if not place.exists():
        raise FindingError(f"{place}: nothing there yet", "make repro fills it", "note")
    tempfile.TemporaryFile(dir=place).close()
    return str(place)


def params() -> str:
    from mnist_pipeline.core import params

    models = params.load().models
    return f"{len(models)} models: {', '.join(models)}"


def data() -> str:
    """The decompressed files against dvc.lock: those that `verify` held against their digests."""
    from mnist_pipeline.commits import lockfile

    if not all(path.exists() for path in paths.IDX_FILES):
        raise FindingError(f"not all of {paths.IDX}/ is there", "make repro downloads it", "note")
    if lockfile.md5(paths.IDX) != lockfile.load().outputs("verify")[paths.IDX.as_posix()]:
        raise PipelineError(f"{paths.IDX}/ is not what dvc.lock describes")
    return f"{paths.IDX}/ as in dvc.lock"

"""What the pipeline stands on here: the folder, Git, DVC's cache, params.yaml, data, sources, MLflow's store."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_pipeline.commits.git import ask
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.doctor.finding import FindingError
from mnist_pipeline.pipeline import dvc_program

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Data

NEEDED = ("dvc.yaml", paths.PARAMS.name)


def folder() -> str:
    if not all(Path(name).exists() for name in NEEDED):
        raise PipelineError(f"{Path.cwd()}: expected {' and '.join(NEEDED)}")
    return str(Path.cwd())


def rights() -> str:
    try:
        tempfile.TemporaryFile(dir=Path.cwd()).close()
    except OSError as error:
        raise PipelineError(f"{Path.cwd()}: can't be written to: {error.strerror}") from None
    return "the folder can be written to"


def git() -> str:
    return ask("log", "-1", "--format=%h %s")


def cache() -> str:
    """DVC's cache, wherever `dvc config cache.dir` has it."""
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


def source(data: "Data", place: str) -> str:
    """Fetch files as `download` does: all of a folder, and of a server the smallest."""
    from mnist_pipeline.data import sources

    files = [data.files.test_labels] if place.startswith(sources.WEB) else [file for _, file in data.files]
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            sources.fetch(data, place, file, Path(folder))
    return "serves the files"


def store(name: str) -> str:
    """MLflow's store: whether a database in a file can be written to, and what the registry holds."""
    from mnist_pipeline.registry import store

    shown, database = store.shown(store.address()), store.database()
    if not store.exists():
        raise FindingError(f"{shown}: nothing is published yet", "make repro, or mnist publish", "note")
    if database is not None:
        try:
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=1)) as link:
                link.execute("BEGIN IMMEDIATE")  # is refused when nobody can write; nothing is written
        except sqlite3.Error as error:
            raise FindingError(f"{shown}: {error}", "end who uses it, or mend its file and rights") from None
    from mnist_pipeline.registry import connection, relocation, versions

    with connection.existing():
        count = len(versions.all_of(name))
    moved = relocation.relocate(apply=False) if database is not None else []
    if moved:
        raise FindingError(f"was moved: {moved[0]}", "mnist relocate --apply")
    relocation.check(name)
    return f"{shown}: versions of {name}: {count}"

"""Checks of what lies outside this folder and may be slow to answer: the sources of the data, and MLflow's store."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mnist_pipeline.doctor.finding import FindingError

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Data


def source(data: "Data", place: str) -> str:
    """Fetch files as `download` does: all of a folder, and of a server the smallest."""
    from mnist_pipeline.data import sources

    files = [data.files.test_labels] if place.startswith(sources.WEB) else [file for _, file in data.files]
    with TemporaryDirectory() as folder:
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
            _begin_to_write(database)
        except sqlite3.Error as error:
            raise FindingError(f"{shown}: {error}", "end who uses it, or mend its file and rights") from None
    from mnist_pipeline.registry import connection, relocation, versions

    with connection.existing():
        count = len(versions.all_of(name))
    moved = relocation.relocate(apply=False) if database is not None else []
    if moved:
        raise FindingError(f"was moved: {moved[0]}", "mnist relocate --apply")
    return f"{shown}: versions of {name}: {count}"


def _begin_to_write(database: Path) -> None:
    """Raises sqlite3.Error when nobody can write to a database now. Nothing is written."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=1)) as link:
        link.execute("BEGIN IMMEDIATE")
        link.rollback()

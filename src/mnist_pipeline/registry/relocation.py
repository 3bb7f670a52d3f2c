"""A store whose folder was moved or copied: MLflow keeps the places of artifacts as absolute addresses."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import store
from mnist_pipeline.registry.connection import errors_in_one_line

COLUMNS = (  # table and column of every address of artifacts
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def relocate(apply: bool) -> list[str]:
    """Lead every address below a former folder of artifacts to the one beside the database; returns what, by line.

    A former folder is one that is gone, and whose files are here. Without `apply` nothing is written; else the database
    is copied first. Raises PipelineError when the store is no database in a file of this machine, or can't be used.
    """
    database, new = store.database(), store.artifacts()
    if database is None or new is None or not database.exists():
        raise PipelineError(
            f"{store.shown(store.address())}: no SQLite store of this machine; only such a one can move"
        )
    lines = list[str]()
    with errors_in_one_line(), store.lock() if apply else nullcontext(), closing(sqlite3.connect(database)) as link:
        former = sorted({root for _, root, moved in _elsewhere(link, new) if moved})
        if apply and former:
            backup = database.with_name(f"{database.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup")
            with closing(sqlite3.connect(backup)) as copy:
                link.backup(copy)
            lines += [f"{database} is copied to {backup}"]
        for old in former:
            lines += [f"{old} -> {new}"]
            lines += [f"  {table}.{column}: {_move(link, table, column, old, new, apply)}" for table, column in COLUMNS]
        link.commit()
    return lines


def check(name: str) -> None:
    """Raise PipelineError when the artifacts of this experiment would not go to the folder beside the database.

    That is when it was moved, or is a copy of another that is still there. What a person chose is left alone.
    """
    database, new = store.database(), store.artifacts()
    if database is None or new is None or not database.exists():
        return
    with closing(sqlite3.connect(database)) as link:
        places = {experiment: (_folder(root).parent, moved) for experiment, root, moved in _elsewhere(link, new)}
    former, moved = places.get(name, (database.parent, False))
    if moved:
        raise PipelineError(f"{database}: was moved here from {former}; run: mnist relocate --apply")
    original = former / database.name
    if original.exists() and not original.samefile(database):
        raise PipelineError(
            f"{database}: is a copy of {original}, and its artifacts would go beside that; to share that one: "
            f"export MLFLOW_TRACKING_URI='{store.sqlite(original)}'; to begin one of its own: rm '{database}'"
        )


def _elsewhere(link: sqlite3.Connection, new: str) -> Iterator[tuple[str, str, bool]]:
    """Experiments with artifacts in other folders of this machine: name, that folder, whether it was moved to `new`."""
    experiments = link.execute("SELECT name, experiment_id, artifact_location FROM experiments").fetchall()
    for name, number, location in experiments:
        old = location.removesuffix(f"/{number}")
        if old.startswith("file://") and old.endswith("/artifacts") and old != new:
            runs = link.execute("SELECT artifact_uri FROM runs WHERE experiment_id = ?", [number]).fetchall()
            found = any(_folder(uri.replace(old, new, 1)).exists() for (uri,) in runs)
            yield name, old, found and not _folder(old).exists()


def _folder(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _move(link: sqlite3.Connection, table: str, column: str, old: str, new: str, apply: bool) -> int:
    """How many addresses in a column are `old` or below it."""
    inside = f"WHERE {column} = :old OR substr({column}, 1, length(:old) + 1) = :old || '/'"
    count: int = link.execute(f"SELECT count(*) FROM {table} {inside}", {"old": old}).fetchone()[0]  # noqa: S608
    if apply:
        moved = f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1) {inside}"  # noqa: S608
        link.execute(moved, {"old": old, "new": new})
    return count

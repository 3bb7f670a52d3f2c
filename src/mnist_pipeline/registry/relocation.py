"""A store whose folder was moved or copied: MLflow keeps the places of artifacts as absolute addresses."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mnist_pipeline.core import paths
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
BACKUP = r"\.\d{8}T\d{6}Z\.backup$"  # as `relocate` names what it copies
EXPERIMENTS = "SELECT artifact_location, creation_time FROM experiments WHERE"
SAME = f"{EXPERIMENTS} ? OR (artifact_location, creation_time) IS (?, ?)"
BELOW = "WHERE {1} = :old OR substr({1}, 1, length(:old) + 1) = :old || '/'"
COUNT = f"SELECT count(*) FROM {{0}} {BELOW}"  # noqa: S608
MOVE = f"UPDATE {{0}} SET {{1}} = :new || substr({{1}}, length(:old) + 1) {BELOW}"  # noqa: S608


def relocate(apply: bool) -> list[str]:
    """Lead addresses in folders of artifacts that are gone and now here to the one beside the database; says what.

    Without `apply` nothing is written; else the database is copied first. Raises PipelineError when the store is no
    database in a file of this machine, or can't be used.
    """
    database, new = store.database(), store.artifacts()
    if database is None or new is None or not database.exists():
        raise PipelineError(
            f"{store.shown(store.address())}: no SQLite store of this machine; only such a one can move"
        )
    lines = list[str]()
    # to look takes the right to write, too: SQLite first rolls back what a killed writer left half done
    with errors_in_one_line(), store.lock() if apply else nullcontext(), closing(sqlite3.connect(database)) as link:
        former = sorted({old for _, old, moved in _elsewhere(link, new) if moved})
        backup = database.with_name(f"{database.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup")
        if apply and former:
            with closing(sqlite3.connect(backup)) as copy:
                link.backup(copy)
        for old in former:
            lines += [f"{old} -> {new}"]
            for table, column in COLUMNS:
                addresses = {"old": old, "new": new}
                ((count,),) = link.execute(COUNT.format(table, column), addresses)
                lines += [f"  {table}.{column}: {count}"]
                if apply:
                    link.execute(MOVE.format(table, column), addresses)
        link.commit()
    return [*lines, f"{database} was copied to {backup} before"] if apply and lines else lines


def check(name: str) -> None:
    """Raise PipelineError when the artifacts of this experiment would not go to the folder beside the database.

    That is when it was moved, or is a copy, under any name, of another that is still there: in another folder of any,
    in its own, where backups lie too, of mlflow.db, if that has this experiment, begun at the same time. What a person
    chose is left alone.
    """
    database, new = store.database(), store.artifacts()
    if database is None or new is None:
        return
    with closing(sqlite3.connect(database)) as link:
        places = {experiment: (_folder(old).parent, moved) for experiment, old, moved in _elsewhere(link, new)}
        ours = link.execute(f"{EXPERIMENTS} name = ?", [name]).fetchone() or (None, None)
    former, moved = places.get(name, (database.parent, False))
    if moved:
        raise PipelineError(f"{database}: was moved here from {former}; run: mnist relocate --apply")
    away = os.path.exists(former) and not former.samefile(database.parent)  # noqa: PTH110
    candidates = sorted(former.glob("*")) if away else [former / paths.DATABASE.name]
    for file in candidates:
        if not os.path.isfile(file) or re.search(BACKUP, file.name) or file.samefile(database):  # noqa: PTH113
            continue
        address = f"{file.as_uri()}?mode=ro&immutable=1"  # leaves no file beside it, and waits for nobody
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(address, uri=True)) as link:  # not MLflow's
            if link.execute(SAME, [away, *ours]).fetchone():
                raise PipelineError(
                    f"{database}: is a copy of {file}, and its artifacts would go beside that; to share that one: "
                    f"export MLFLOW_TRACKING_URI='{store.sqlite(file)}'; to begin one of its own: rm '{database}'"
                )


def _elsewhere(link: sqlite3.Connection, new: str) -> Iterator[tuple[str, str, bool]]:
    """Experiments with artifacts in other folders of this machine: name, that folder, whether it was moved to `new`."""
    experiments = link.execute("SELECT name, experiment_id, artifact_location FROM experiments").fetchall()
    first = {location for _, number, location in experiments if number == 0}  # made with the database, beside it
    for name, number, location in experiments:
        old = location.removesuffix(f"/{number}")
        if old.startswith("file://") and old.endswith("/artifacts") and old != new:
            runs = link.execute("SELECT artifact_uri FROM runs WHERE experiment_id = ?", [number]).fetchall()
            found = any(_folder(uri.replace(old, new, 1)).exists() for (uri,) in runs)
            gone = not any(os.path.exists(_folder(uri)) for (uri,) in runs)  # noqa: PTH110 - False where nobody may look
            ((held,),) = link.execute(COUNT.format("runs", "artifact_uri"), {"old": old})
            empty = not held and f"{old}/0" in first and not os.path.exists(_folder(old).parent)  # noqa: PTH110
            yield name, old, (found or empty) and gone


def _folder(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))

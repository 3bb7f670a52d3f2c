"""A store whose folder was moved: MLflow keeps the places of artifacts as absolute addresses; here they follow."""

from contextlib import nullcontext
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection, Integer, String, column, create_engine, func, literal, or_, select, table, update

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import store
from mnist_pipeline.registry.connection import artifacts

COLUMNS = (  # table and column of every address of artifacts
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def relocate(apply: bool) -> list[str]:
    """Lead every address below a former folder of artifacts to the one beside the database; returns what, by line.

    Without `apply` nothing is written. Raises PipelineError when the store is no database in a file of this machine.
    """
    database = store.database()
    if database is None or not database.exists():
        raise PipelineError(
            f"{store.shown(store.address())}: no SQLite store of this machine; only such a one can move"
        )
    with _lock() if apply else nullcontext():
        engine = create_engine(store.sqlite(database))
        with engine.begin() as connection:
            moves = [_move(connection, old, artifacts(database), apply) for old in _stale_roots(connection, database)]
        engine.dispose()
    return [line for lines in moves for line in lines]


def _lock() -> FileLock:
    lock = paths.root() / paths.STORE / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(lock)


def _stale_roots(connection: Connection, database: Path) -> list[str]:
    """Folders of artifacts that experiments name, other than the one beside the database."""
    number, place = column("experiment_id", Integer), column("artifact_location", String)
    rows = connection.execute(select(number, place).select_from(table("experiments"))).all()
    roots = {row.artifact_location.removesuffix(f"/{row.experiment_id}") for row in rows}
    files = [root for root in roots if root.startswith("file://") and root.endswith("/artifacts")]
    return sorted(root for root in files if root != artifacts(database))


def _move(connection: Connection, old: str, new: str, apply: bool) -> list[str]:
    lines = [f"{old} -> {new}"]
    for name, address in ((table(name, column(place)), column(place, String)) for name, place in COLUMNS):
        inside = or_(address == old, func.substr(address, 1, len(old) + 1) == f"{old}/")
        count = connection.execute(select(func.count()).select_from(name).where(inside)).scalar_one()
        lines.append(f"  {name.name}.{address.name}: {count}")
        if apply:
            moved = literal(new).concat(func.substr(address, len(old) + 1))
            connection.execute(update(name).where(inside).values({address.name: moved}))
    return lines

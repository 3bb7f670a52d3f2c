"""A store whose folder was moved: MLflow keeps the places of artifacts as absolute addresses; here they follow."""

from contextlib import nullcontext

from sqlalchemy import Connection, String, column, create_engine, func, literal, or_, select, table, update

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import store

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
    database, new = store.database(), store.artifacts()
    if database is None or new is None or not database.exists():
        raise PipelineError(
            f"{store.shown(store.address())}: no SQLite store of this machine; only such a one can move"
        )
    engine, lines = create_engine(store.sqlite(database)), list[str]()
    with store.lock() if apply else nullcontext(), engine.begin() as connection:
        for old in sorted(_roots(connection) - {new}):
            lines += [f"{old} -> {new}"]
            lines += [f"  {name}.{place}: {_move(connection, name, place, old, new, apply)}" for name, place in COLUMNS]
    engine.dispose()
    return lines


def _roots(connection: Connection) -> set[str]:
    """The folders of artifacts on this machine that experiments name."""
    number, place = column("experiment_id", String), column("artifact_location", String)
    rows = connection.execute(select(number, place).select_from(table("experiments"))).all()
    roots = {row.artifact_location.removesuffix(f"/{row.experiment_id}") for row in rows}
    return {root for root in roots if root.startswith("file://") and root.endswith("/artifacts")}


def _move(connection: Connection, name: str, place: str, old: str, new: str, apply: bool) -> int:
    """How many addresses in a column are `old` or below it."""
    address = column(place, String)
    inside = or_(address == old, func.substr(address, 1, len(old) + 1) == f"{old}/")
    count: int = connection.execute(select(func.count()).select_from(table(name)).where(inside)).scalar_one()
    if apply:
        moved = literal(new).concat(func.substr(address, len(old) + 1))
        connection.execute(update(table(name, address)).where(inside).values({place: moved}))
    return count

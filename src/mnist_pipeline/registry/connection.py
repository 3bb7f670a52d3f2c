"""A client of MLflow's store: reached in time, created whole, and errors in one line."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import requests
from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import FULL, PROTECTED, PipelineError
from mnist_pipeline.core.files import whole
from mnist_pipeline.registry import store

SQLITE_SAYS = {"disk is full": FULL, "readonly database": PROTECTED}


@contextmanager
def connection() -> Iterator[MlflowClient]:
    """A client of the store, alone on this machine: a fresh database does not bear two first users at once.

    Raises PipelineError that names the address when the store can't be reached or answers with an error.
    """
    database = store.database()
    lock = paths.root() / paths.STORE / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _errors_in_one_line(), FileLock(lock):
        if database is not None and not database.exists():
            _create_database(database)
        yield _client()


@contextmanager
def onlooker() -> Iterator[MlflowClient]:
    """The same of a store that exists, for one who only reads and must leave no file here, not even the lock."""
    with _errors_in_one_line():
        yield _client()


def _client() -> MlflowClient:
    uri = store.address()
    if uri.startswith(("http://", "https://")):
        requests.get(f"{uri.rstrip('/')}/health", timeout=5)  # MLflow itself would wait for minutes
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient()


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    uri = store.address()
    try:
        yield
    except (MlflowException, requests.RequestException, SQLAlchemyError) as error:
        cause = " ".join(str(error).replace(uri, store.shown(uri)).split())
        advice = "".join(f"; {what}, then run this again" for words, what in SQLITE_SAYS.items() if words in cause)
        raise PipelineError(
            f"MLflow's store at {store.shown(uri)} (MLFLOW_TRACKING_URI): {cause[:300]}{advice}"
        ) from None


@contextmanager
def existing() -> Iterator[MlflowClient]:
    """The same for commands that only look: raises PipelineError where nothing was ever published."""
    if not store.exists():
        raise PipelineError(
            f"{store.database()}: no such store, so nothing is published here; run `make repro` or `mnist publish`, "
            "or name another store in MLFLOW_TRACKING_URI"
        )
    with connection() as client:
        yield client


def insist(write: Callable[..., object], *arguments: object, **named: object) -> None:
    """Call something that may be repeated: where two write the same row at once, MLflow's server refuses one of them.

    Its answer then is BAD_REQUEST with the database's words; the second time the row is there, and nothing is written.
    """
    for pause in (0.05, 0.2, 0.8, None):
        try:
            write(*arguments, **named)
            return
        except MlflowException as error:
            if pause is None or error.error_code != "BAD_REQUEST":
                raise
            time.sleep(pause)


def artifacts(database: Path) -> str:
    """The URI of the folder for artifacts: beside the database that names them."""
    return (database.parent / "artifacts").as_uri()


def _create_database(database: Path) -> None:
    """Make a fresh store beside its place and move it there: one killed while it makes its tables can't be mended."""
    with whole(database) as part:
        fresh = SqlAlchemyStore(store.sqlite(part), artifacts(database))
        fresh.engine.dispose()

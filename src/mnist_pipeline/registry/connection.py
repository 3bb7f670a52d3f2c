"""A client of MLflow that fails fast, creates a new database whole or not at all, and says errors in one line."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import requests
from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from mlflow.utils.credentials import get_default_host_creds
from sqlalchemy.exc import SQLAlchemyError

from mnist_pipeline.core import background
from mnist_pipeline.core.errors import FULL, PROTECTED, PipelineError, refusal
from mnist_pipeline.core.files import whole
from mnist_pipeline.core.tables import CONTROL
from mnist_pipeline.registry import store

SECONDS = 15.0  # for a server to say that it is there
CERTIFICATES = "look at MLFLOW_TRACKING_SERVER_CERT_PATH and …CLIENT_CERT_PATH"
ADVICE = {"disk is full": FULL, "readonly database": PROTECTED, ", invalid path: ": CERTIFICATES}  # SQLite, requests
EXISTS, GONE, REFUSED = "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST"  # what MLflow's errors say
FAULTS = ImportError, MlflowException, ParseError, requests.RequestException, SQLAlchemyError, sqlite3.Error


@contextmanager
def publisher() -> Iterator[MlflowClient]:
    """A client for `publish`: makes a local store that does not exist yet, and is the only one on this machine.

    Raises PipelineError that names the address when the store can't be reached or answers with an error.
    """
    with errors_in_one_line(), store.lock():
        database = store.database()
        if database and not database.exists():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # a second

            with whole(database) as part:  # what is killed while it makes a database leaves one that can't be mended
                SqlAlchemyStore(store.sqlite(part), store.artifacts()).engine.dispose()
        with existing() as client:
            yield client


@contextmanager
def existing() -> Iterator[MlflowClient]:
    """A client of a store that exists; MLflow's own functions ask that store, too. Creates no file.

    Raises PipelineError where nothing was ever published, and as `publisher` does.
    """
    if not store.exists():
        raise PipelineError(
            f"{store.database()}: no such store, so nothing is published here; run `make repro` or `mnist publish`, "
            "or name another store in MLFLOW_TRACKING_URI"
        )
    uri = store.address()
    with errors_in_one_line():
        if uri.startswith(("http://", "https://")):
            server = get_default_host_creds(uri)  # as the variables MLFLOW_TRACKING_… say
            where = f"{uri.rstrip('/')}/health"  # MLflow itself would wait for minutes
            ask = partial(requests.get, where, timeout=5, verify=server.verify, cert=server.client_cert_path)
            try:
                background.start(ask).result(SECONDS)  # its own timeout is for each pause in an answer
            except OSError as error:  # what `requests` raises, also for a certificate that is not there
                said = str(error) or f"{where}: no whole answer within {SECONDS:.0f} s"
                raise requests.RequestException(said) from None
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        yield MlflowClient()


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Raise PipelineError, which names the store and what it said, for what goes wrong there."""
    uri = store.address()
    try:
        yield
    except FAULTS as error:
        shown = store.shown(uri)
        cause = CONTROL.sub("?", " ".join(str(error).replace(uri, shown).split()))
        advice = "".join(f"; {what}, then run this again" for words, what in ADVICE.items() if words in cause)
        raise PipelineError(f"MLflow's store at {shown} (MLFLOW_TRACKING_URI): {cause[:300]}{advice}") from None


def download(address: str, folder: Path) -> None:
    """Bring all files of a model into `folder`. Raises PipelineError as `files` does, and for files at another server,
    to which MLflow would send the user and the password of its own."""
    with files(address):
        model = get_artifact_repository(address)
        place, own = urlsplit(model.repo.artifact_uri), urlsplit(store.address())
        if place.scheme in ("http", "https") and (place.scheme, place.netloc) != (own.scheme, own.netloc):
            said = f"its files are at another server, {place.scheme}://{place.hostname}, which is not asked for them"
            raise PipelineError(f"{address}: {said}; `mnist publish` its commit again")
        model.download_artifacts("", str(folder))


@contextmanager
def files(address: str) -> Iterator[None]:
    """Raise PipelineError where links to nothing, or folders, stand in the places of files in a store on this disk, and
    where a version's files are somewhere that can't be reached, or that MLflow needs another package for."""
    try:
        yield
    except (ImportError, OSError) as error:
        if isinstance(error, requests.RequestException) or refusal(error):
            raise
        wanting = isinstance(error, ImportError)
        advice = "install it" if wanting else "whoever put that into the store should delete it there"
        raise PipelineError(f"{address}: {error}; {advice}") from None


@contextmanager
def tolerated(code: str) -> Iterator[None]:
    """Go on after an error of MLflow's with this code, as where somebody else was quicker."""
    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


def insist(write: Callable[..., object], *arguments: object) -> None:
    """Call what may be repeated: of two that write the same row, at once or again, MLflow's server refuses one."""
    for pause in (0.05, 0.2, 0.8):
        with tolerated(REFUSED):
            write(*arguments)
            return
        time.sleep(pause)
    write(*arguments)

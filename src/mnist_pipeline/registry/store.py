"""Where MLflow's store is, and whether what was published there last is still what `publish` would leave.

Nothing here needs MLflow, so that `mnist repro` can look before it runs anything.
"""

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from filelock import FileLock

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json

SQLITE = "sqlite:///"


def address() -> str:
    """The tracking store: MLFLOW_TRACKING_URI, else a database in the repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite(paths.root() / paths.DATABASE)


def sqlite(file: Path) -> str:
    """The address of an SQLite database; `%` and `?` in a folder's name have a meaning in an address."""
    return SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def database() -> Path | None:
    """The file of a store that is an SQLite database."""
    if not address().startswith(SQLITE):
        return None
    return Path(unquote(address().removeprefix(SQLITE).partition("?")[0])).resolve()


def artifacts() -> str | None:
    """The URI of the folder for artifacts, beside the database; None for a server, which has a place of its own."""
    file = database()
    return None if file is None else (file.parent / "artifacts").as_uri()


def exists() -> bool:
    """Whether there is a store to ask: a server, or a database that somebody published to."""
    file = database()
    return file is None or file.exists()


def lock() -> FileLock:
    """For writers, one at a time on this machine: a fresh SQLite database fails under two first users."""
    file = (database() or paths.root() / paths.DATABASE).with_name("lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(file)


def shown(uri: str) -> str:
    """An address without the credentials that may stand in it."""
    parts = urlsplit(uri)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="")
    return urlunsplit(bare) if "@" in parts.netloc or parts.query else uri


def leave_receipt(contents: dict[str, str]) -> None:
    """Write the receipt, which DVC hashes, and beside it where it went, which depends on this machine."""
    write_json(paths.RECEIPT, contents)
    write_json(paths.PUBLISHED_TO, {"address": shown(address()), "experiment": os.environ.get("DVC_EXP_NAME")})


def forget_stale_receipt() -> None:
    """Delete a receipt that no longer holds, so that `publish` runs again.

    That is when the store is gone, when its address is another one, or when an experiment published, which could not
    become champion.
    """
    with suppress(PipelineError):  # nothing says where it went
        if exists() and read_json(paths.PUBLISHED_TO) == {"address": shown(address()), "experiment": None}:
            return
    paths.RECEIPT.unlink(missing_ok=True)

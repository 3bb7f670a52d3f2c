"""Where MLflow's store is, who may write to it, and whether it still holds what was published there last.

For a store in a file nothing here needs MLflow, so that `mnist repro` can look before it runs anything.
"""

import fcntl
import os
import platform
import re
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json

SQLITE = "sqlite:///"
PATIENCE = 600.0  # seconds for one holder of the lock; to publish takes several
HELD = """
SELECT t.value FROM model_version_tags t JOIN model_versions v USING (name, version) JOIN runs r ON run_uuid = v.run_id
LEFT JOIN logged_models m ON v.source = 'models:/' || m.model_id
WHERE t.key = 'content' AND v.current_stage != 'Deleted_Internal' AND r.lifecycle_stage = 'active'
AND (v.source NOT LIKE 'models:/m-%' OR m.lifecycle_stage = 'active')
"""


def address() -> str:
    """The tracking store: MLFLOW_TRACKING_URI, else a database in the repository, where relative ones are, too: DVC
    deletes the folder of a temporary experiment."""
    named = os.environ.get("MLFLOW_TRACKING_URI") or SQLITE + str(paths.DATABASE)
    return re.sub(f"^{SQLITE}(?!/|file:)", lambda _: sqlite(paths.root()) + "/", named)


def sqlite(file: Path) -> str:
    """The address of an SQLite database; `%` and `?` in a folder's name have a meaning in an address."""
    return SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def database() -> Path | None:
    """The file of a store that is an SQLite database; the lock and the place of artifacts go by its name.

    Raises PipelineError for the other spellings that MLflow has.
    """
    if not address().startswith("sqlite"):
        return None
    if not address().startswith(SQLITE) or address().startswith(f"{SQLITE}file:"):
        raise PipelineError(f"MLFLOW_TRACKING_URI: expected sqlite:////path/of/a/file.db, found {shown(address())}")
    return Path(unquote(address().removeprefix(SQLITE).partition("?")[0])).resolve()


def artifacts() -> str | None:
    """The URI of the folder for artifacts, beside the database; None for a server, which has a place of its own."""
    file = database()
    return None if file is None else (file.parent / "artifacts").as_uri()


def exists() -> bool:
    """Whether there is a store to ask: a server, or a database that somebody published to."""
    file = database()
    return file is None or file.exists()


@contextmanager
def lock() -> Iterator[None]:
    """For writers, one at a time, since a fresh SQLite database fails under two first users; it lies beside that.

    Says whom it waits for. Raises PipelineError when that one still holds the lock after `PATIENCE` seconds.
    """
    guarded = database() or paths.root() / paths.DATABASE
    file = guarded.with_name(f"{guarded.name}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        holder, since = None, time.monotonic()
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if (now := file.read_text(encoding="utf-8") or "a process that has just begun") != holder:
                print(f"note: waiting for {file}, held by {now}", file=sys.stderr, flush=True)
                holder, since = now, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise PipelineError(f"{file}: still held by {holder}; wait for it or end it, then run this again")
            time.sleep(0.1)
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {platform.node()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        stream.flush()
        yield


def shown(uri: str) -> str:
    """An address without the credentials that may stand in it."""
    return re.sub("://[^/]*@", "://", uri).partition("?")[0]


def leave_receipt(contents: dict[str, str]) -> None:
    """Write the receipt, which DVC hashes, and beside it where it went, which depends on this machine."""
    write_json(paths.RECEIPT, contents)
    write_json(paths.PUBLISHED_TO, {"address": shown(address()), "experiment": os.environ.get("DVC_EXP_NAME")})


def forget_stale_receipt() -> None:
    """Delete a receipt that no longer holds, so that `publish` runs again.

    That is one of another store or of an experiment, or of what the store has lost since.
    """
    with suppress(PipelineError):  # nothing says what was published, or where
        here = {"address": shown(address()), "experiment": None}
        if read_json(paths.PUBLISHED_TO) == here and _holds(read_json(paths.RECEIPT).values()):
            return
    paths.RECEIPT.unlink(missing_ok=True)


def _holds(contents: Iterable[str]) -> bool:
    """Whether the store has a version and its run, here its model too, of each content; yes, if no server answers."""
    file = database()
    if file is None:
        from mnist_pipeline.registry import versions  # takes seconds

        return versions.are_held(contents)
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as link:
        return {content for (content,) in link.execute(HELD)}.issuperset(contents)
    return False

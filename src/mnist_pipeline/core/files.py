"""Files whose bytes depend on their content alone, written whole or not at all, and digests of files."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    import pandas as pd


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises PipelineError when it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise PipelineError(f"{path}: not found; run `make repro` first") from None
    except ValueError as error:
        advice = "get it back with `git checkout` or `dvc checkout`"
        raise PipelineError(f"{path}: not valid JSON ({error}); {advice}") from None


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """The columns of a table, without its index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def write_rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A head and rows as CSV, in the bytes of `write_csv` for a table without gaps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows((head, *rows))


@contextmanager
def whole(path: Path, part: Path | None = None) -> Iterator[Path]:
    """Write a file or a folder whole or not at all: what the block writes at the path given to it takes `path`'s place.

    That path is `part`, by default `path` with `.part` behind its name; what a killed writer left there is deleted.
    After a power failure, too, there is one whole version. A folder that is not empty is not replaced: OSError.
    """
    part = part or path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    _delete(part)
    try:
        yield part
        for one in (*part.rglob("*"), part):
            sync(one)
        part.replace(path)
        sync(path.parent)
    finally:
        _delete(part)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; several processes may do so at once, and the last one wins."""
    with whole(path, path.with_name(f"{path.name}.{os.getpid()}.part")) as part:
        part.write_bytes(content)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

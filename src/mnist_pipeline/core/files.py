"""Files whose bytes depend on their content alone, and digests of files."""

import hashlib
import json
import os
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
        raise PipelineError(
            f"{path}: not valid JSON ({error}); get it back with `git checkout` or `dvc pull`"
        ) from None


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """The columns of a table, without its index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, even when the power fails: what is at `path` is always one whole version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name is on disk only then
    finally:
        os.close(folder)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

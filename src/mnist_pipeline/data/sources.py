"""Where the published files come from: an ordered list of sources, the first that serves the right bytes wins.

A source is an `https://`, `http://` or `file://` address of a folder, or a path relative to the repository.
"""

import logging
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch
import requests

from mnist_pipeline.core.errors import DISK, PipelineError
from mnist_pipeline.core.params import Data, DataFile
from mnist_pipeline.data import transfer

UNREACHABLE = (requests.ConnectionError, requests.Timeout, ConnectionError, TimeoutError, socket.gaierror)

GZIP = b"\x1f\x8b"
BYTES_AN_IMAGE = 785  # 28 × 28 pixels that could not be compressed, and what gzip adds to them
LARGEST_OVERHEAD = 1 << 16


def download(data: Data, folder: Path) -> dict[str, str]:
    """Bring each file of the data set into `folder`; returns which source served which file.

    A file is written beside its place, checked, and only then moved there. A source that can't be reached is not asked
    again. Raises PipelineError that names the file and what went wrong at each source.
    """
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"{folder}: can't be made, but the data is to be put there: {error}") from None
    unreachable: dict[str, str] = {}
    served: dict[str, str] = {}
    for _, file in data.files:
        if file.sha256 is None:
            (folder / file.file).unlink(missing_ok=True)  # nothing tells whether an earlier one is still the right one
        most = file.bytes or LARGEST_OVERHEAD + BYTES_AN_IMAGE * max(data.training, data.test)
        served[file.file] = _from_first(data.sources, file, folder, most, unreachable)
        print(f"{file.file}: from {served[file.file]}", flush=True)
    return served


def _from_first(sources: list[str], file: DataFile, folder: Path, most: int, unreachable: dict[str, str]) -> str:
    reasons: dict[str, str] = {}
    for source in sources:
        if source in unreachable:
            reasons[source] = f"could not be reached before ({unreachable[source]})"
            continue
        try:
            _retrieve(source, file, folder, most)
            return source
        except UNREACHABLE as error:
            reasons[source] = unreachable[source] = f"can't be reached: {root_cause(error)}"
        except (requests.RequestException, OSError, ValueError, PipelineError) as error:
            if isinstance(error, OSError) and error.errno in DISK:
                raise  # no other source would help
            reasons[source] = _in_one_line(error)
        print(f"{file.file}: passed over {source}: {reasons[source]}", flush=True)
    tried = "".join(f"\n  {source}: {reason}" for source, reason in reasons.items())
    raise PipelineError(
        f"{file.file}: no source in params.yaml (data.sources) serves it:{tried}\n"
        "  Mend the network, or put the file into a folder and name that folder under data.sources."
    )


def _retrieve(source: str, file: DataFile, folder: Path, most: int) -> None:
    """Fetch a file of at most so many bytes from a source; pooch checks the digest and moves the file to its place."""

    def fetch(url: str, output: str, _: object) -> None:
        if url.startswith(("https://", "http://")):
            transfer.fetch(url, Path(output), most)
        else:
            shutil.copyfile(local_path(url), output)
        _check_gzip(file, Path(output))
        _check_size(file, Path(output))

    known = f"sha256:{file.sha256}" if file.sha256 else None
    pooch.retrieve(f"{source.rstrip('/')}/{file.file}", known, file.file, folder, downloader=fetch)


def _check_gzip(file: DataFile, found: Path) -> None:
    """Servers answer with a page that says what is wrong, and with the status of success."""
    with found.open("rb") as stream:
        start = stream.read(40)
    if not start.startswith(GZIP):
        raise PipelineError(f"{file.file}: expected a gzip file, found one that begins with {start!r}")


def _check_size(file: DataFile, found: Path) -> None:
    size = found.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise PipelineError(f"{file.file}: size: expected {file.bytes} bytes, found {size}")


def local_path(source: str) -> Path:
    """The path that a `file://` address or a plain path names."""
    return Path(url2pathname(urlsplit(source).path)) if source.startswith("file://") else Path(source)


def root_cause(error: BaseException) -> str:
    """The first of a chain of errors, in one line."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {_in_one_line(error)}"


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())

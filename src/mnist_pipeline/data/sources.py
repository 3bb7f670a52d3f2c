"""Where the published files come from: folders by address (https, http, file) or path; the first right one wins."""

from pathlib import Path
from socket import gaierror
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from mnist_pipeline.core.errors import DISK, PipelineError, refusal
from mnist_pipeline.core.files import sha256_of, whole
from mnist_pipeline.core.params import Data, DataFile
from mnist_pipeline.data import transfer

WEB = ("https://", "http://")
UNREACHABLE = (ConnectionError, TimeoutError, gaierror, requests.ConnectionError, requests.Timeout, ReadTimeoutError)
BYTES_AN_IMAGE = 785  # 28 × 28 pixels that could not be compressed, and what gzip adds to them
LARGEST_OVERHEAD = 1 << 16


def download(data: Data, folder: Path) -> dict[str, str]:
    """Bring each file into `folder`; which source served it. Raises PipelineError with what is wrong at each source."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = refusal(error) or error
        raise PipelineError(f"{folder}: can't be made, but the data is to be put there: {said}") from None
    served, unreachable = dict[str, str](), dict[str, str]()
    for _, file in data.files:
        served[file.file] = _from_first(data, file, folder, unreachable)
        print(f"{file.file}: from {served[file.file]}", flush=True)
    return served


def _from_first(data: Data, file: DataFile, folder: Path, unreachable: dict[str, str]) -> str:
    reasons: dict[str, str] = {}
    for source in data.sources:
        if source in unreachable:
            reasons[source] = f"could not be reached before ({unreachable[source]})"
            continue
        try:
            fetch(data, source, file, folder)
            return source
        except PipelineError as error:
            reasons[source] = str(error)
            if isinstance(error.__cause__, UNREACHABLE):
                unreachable[source] = str(error)
        print(f"{file.file}: passed over {source}: {reasons[source]}", flush=True)
    tried = "".join(f"\n  {source}: {reason}" for source, reason in reasons.items())
    advice = "Mend the network, or put the file into a folder and name that folder under data.sources."
    raise PipelineError(f"{file.file}: no source in params.yaml (data.sources) serves it:{tried}\n  {advice}")


def fetch(data: Data, source: str, file: DataFile, folder: Path) -> None:
    """Bring one file of a source into `folder`, once it is whole and what params.yaml promises, unless it is there.

    Raises PipelineError that says in a line what is wrong with the source, OSError when the disk takes no file.
    """
    target = folder / file.file
    if file.sha256 and target.exists() and sha256_of(target) == file.sha256:
        return
    most = file.bytes or LARGEST_OVERHEAD + BYTES_AN_IMAGE * max(data.training, data.test)
    try:
        local = Path(url2pathname(urlsplit(source).path) if source.startswith("file://") else source)
        place = f"{source.rstrip('/')}/{file.file}" if source.startswith(WEB) else local / file.file
        with whole(target) as part:
            transfer.fetch(place, part, most)
            _check(file, part)
    except (OSError, ValueError, HTTPError) as error:
        if isinstance(error, OSError) and error.errno in DISK:
            error.filename = error.filename or str(target)
            raise  # no other source would help
        said, cause = str(error), error.__context__ or error
        if isinstance(error, UNREACHABLE):
            while cause.__context__ is not None:
                cause = cause.__context__
            said = f"can't be reached: {type(cause).__name__}: {cause}"
        raise PipelineError(" ".join(said.split())) from error


def _check(file: DataFile, found: Path) -> None:
    with found.open("rb") as stream:
        start = stream.read(40)
    if not start.startswith(b"\x1f\x8b"):  # servers say what is wrong on a page, with the status of success
        raise PipelineError(f"{file.file}: expected a gzip file, found one that begins with {start!r}")
    size, sha256 = found.stat().st_size, sha256_of(found)
    if file.bytes not in (None, size):
        raise PipelineError(f"{file.file}: size: expected {file.bytes} bytes, found {size}")
    if file.sha256 not in (None, sha256):
        raise PipelineError(f"{file.file}: digest (SHA-256): expected {file.sha256}, found {sha256}")

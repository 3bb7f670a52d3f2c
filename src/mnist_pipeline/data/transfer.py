"""One file of a source, bounded: whatever a server or a disk does, asking it ends in time and can't fill ours."""

import socket
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests
from tqdm import tqdm

from mnist_pipeline.core import background
from mnist_pipeline.core.errors import PipelineError

CONNECT_SECONDS = 4.0  # for all addresses of a host together; one retransmission of a connection request is at 3
READ_SECONDS = 20.0  # for an answer to begin, and for each pause in it
SLOWEST = 16_384  # bytes a second, on average, after those seconds
CHUNK = 1 << 14


def fetch(place: str | Path, target: Path, most: int) -> None:
    """Write what a web address or a file holds to `target`, at most so many bytes, as they are, never decompressed.

    Raises OSError or urllib3's HTTPError when a place can't be reached or read, answers with an error or is too slow,
    PipelineError when it is no regular file, holds more, or leads from https to http; `target` may then hold a part.
    """
    if isinstance(place, str):
        _await(lambda: _reach(place), lambda: CONNECT_SECONDS, "no answer")
    with target.open("wb") as sink:  # once closed, it ends a thread that is still writing
        slow = f"too slow: expected an answer in {READ_SECONDS:g} s, then {SLOWEST} bytes a second"
        _await(lambda: _receive(place, sink, most), lambda: READ_SECONDS + sink.tell() / SLOWEST, slow)


def _await(call: Callable[[], None], patience: Callable[[], float], complaint: str) -> None:
    """Raise what the call raises, or TimeoutError: no timeout of a socket holds for an answer as a whole."""
    began, future = time.monotonic(), background.start(call)
    while not future.done():
        if time.monotonic() - began > patience():
            raise TimeoutError(complaint)
        wait([future], timeout=0.1)
    future.result()


def _reach(url: str) -> None:
    """Connect to some address of the host: requests would wait for each of them anew. A proxy is not looked at."""
    if not requests.utils.get_environ_proxies(url):
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((str(parts.hostname), port), timeout=CONNECT_SECONDS).close()


def _receive(place: str | Path, sink: IO[bytes], most: int) -> None:
    for piece in _of_server(place) if isinstance(place, str) else _of_disk(place):
        if sink.tell() + len(piece) > most:
            raise PipelineError(f"size: expected at most {most} bytes, found more")
        sink.write(piece)


def _of_server(url: str) -> Iterator[bytes]:
    headers, hooks = {"Accept-Encoding": "identity"}, {"response": _check_redirect}
    timeout = CONNECT_SECONDS, READ_SECONDS
    with (
        requests.get(url, headers=headers, stream=True, timeout=timeout, hooks=hooks) as answer,
        tqdm(desc=url.rpartition("/")[2], unit="B", unit_scale=True, leave=False, disable=None) as bar,  # on a terminal
    ):
        answer.raise_for_status()
        bar.total = answer.raw.length_remaining
        for piece in answer.raw.stream(CHUNK, decode_content=False):
            yield piece
            bar.update(len(piece))


def _check_redirect(answer: requests.Response, **_: object) -> None:
    """Sees each answer before a redirect is followed. Raises PipelineError when that would lead away from https."""
    target = urljoin(answer.url, answer.headers.get("Location", ""))
    if answer.is_redirect and urlsplit(answer.url).scheme == "https" != urlsplit(target).scheme:
        answer.close()
        raise PipelineError(f"{answer.url}: expected a redirect to an https:// address, found one to {target}")


def _of_disk(path: Path) -> Iterator[bytes]:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # to open a pipe may take for ever
        raise PipelineError(f"{path}: expected a file, found a folder, pipe or device ({stat.filemode(mode)})")
    with path.open("rb") as stream:
        yield from iter(lambda: stream.read(CHUNK), b"")

"""One file over HTTP, bounded: whatever a server does, asking it ends in time, and it can't fill the disk."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from mnist_pipeline.core import background
from mnist_pipeline.core.errors import PipelineError

CONNECT_SECONDS = 4.0  # for all addresses of a host together; one retransmission of a connection request is at 3
READ_SECONDS = 20.0  # for an answer to begin, and for each pause in it
SLOWEST = 16_384  # bytes a second, on average, after those seconds
CHUNK = 1 << 14
PLAIN = {"Accept-Encoding": "identity"}


def fetch(url: str, target: Path, most: int) -> None:
    """Write what an address serves to `target`, at most so many bytes, as they are sent: nothing is decompressed.

    Raises OSError or urllib3's HTTPError when the server can't be reached, answers with an error or is too slow,
    PipelineError when it sends more; `target` may then hold a part.
    """
    reached = background.start(lambda: _reach(url))
    _await(reached, lambda: CONNECT_SECONDS, "no answer")
    with target.open("wb") as sink:  # once closed, it ends a thread that is still writing
        received = background.start(lambda: _receive(url, sink, most))
        slow = f"too slow: expected an answer in {READ_SECONDS:g} s, then {SLOWEST} bytes a second"
        _await(received, lambda: READ_SECONDS + sink.tell() / SLOWEST, slow)


def _await(future: Future[None], patience: Callable[[], float], complaint: str) -> None:
    """Raise what the call raised, or TimeoutError: no timeout of a socket holds for an answer as a whole."""
    began = time.monotonic()
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


def _receive(url: str, sink: IO[bytes], most: int) -> None:
    with (
        requests.get(url, headers=PLAIN, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer,
        tqdm(desc=url.rpartition("/")[2], unit="B", unit_scale=True, leave=False, disable=None) as bar,  # on a terminal
    ):
        answer.raise_for_status()
        bar.total = answer.raw.length_remaining
        for piece in answer.raw.stream(CHUNK, decode_content=False):
            if sink.tell() + len(piece) > most:
                raise PipelineError(f"size: expected at most {most} bytes, found more")
            sink.write(piece)
            bar.update(len(piece))

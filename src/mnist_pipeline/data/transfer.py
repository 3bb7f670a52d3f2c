"""One file over HTTP, bounded: whatever a server does, asking it ends in time, and it can't fill the disk."""

import queue
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

from mnist_pipeline.core.errors import PipelineError

CONNECT_SECONDS = 4.0  # for all addresses of a host together; one retransmission of a connection request is at 3
READ_SECONDS = 20.0  # for an answer to begin, and for each pause in it
SLOWEST = 16_384  # bytes a second, on average, after those seconds
CHUNK = 1 << 16


def fetch(url: str, target: Path, most: int) -> None:
    """Write what an address serves to `target`, at most so many bytes, as they are sent: nothing is decompressed.

    Raises OSError when the server can't be reached, answers with an error or is too slow, PipelineError when it sends
    more; `target` may then hold a part.
    """
    _check_reachable(url)
    began, received = time.monotonic(), 0
    name = url.rpartition("/")[2]
    with (
        target.open("wb") as sink,
        _Reception(url) as reception,
        tqdm(desc=name, unit="B", unit_scale=True, leave=False, disable=None) as bar,  # only on a terminal
    ):
        while piece := reception.piece(began + READ_SECONDS + received / SLOWEST):
            received += len(piece)
            if received > most:
                raise PipelineError(f"size: expected at most {most} bytes, found more")
            sink.write(piece)
            bar.total = reception.length
            bar.update(len(piece))


class _Reception:
    """What a server sends, received in another thread: no timeout of a socket holds for an answer as a whole."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pieces: queue.Queue[bytes | Exception] = queue.Queue(maxsize=1)
        self.given_up = threading.Event()
        self.length: int | None = None  # as the server says, once it answered

    def __enter__(self) -> "_Reception":
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.given_up.set()

    def piece(self, deadline: float) -> bytes:
        """The next bytes; none at the end. Raises what the thread met, or TimeoutError at the deadline."""
        piece: bytes | Exception = TimeoutError(
            f"too slow: expected an answer in {READ_SECONDS:g} s, then {SLOWEST} bytes a second"
        )
        with suppress(queue.Empty):
            piece = self.pieces.get(timeout=max(0.0, deadline - time.monotonic()))
        if isinstance(piece, Exception):
            raise piece
        return piece

    def _run(self) -> None:
        try:
            self._receive()
        except urllib3.exceptions.ReadTimeoutError as error:
            self._hand_over(requests.ReadTimeout(error))
        except urllib3.exceptions.HTTPError as error:
            self._hand_over(requests.exceptions.ChunkedEncodingError(error))
        except Exception as error:  # whatever it is, it is raised again where it is awaited
            self._hand_over(error)

    def _receive(self) -> None:
        plain = {"Accept-Encoding": "identity"}
        with requests.get(self.url, headers=plain, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
            answer.raise_for_status()
            self.length = answer.raw.length_remaining
            while (piece := answer.raw.read1(CHUNK)) and not self.given_up.is_set():
                self._hand_over(piece)
        self._hand_over(b"")

    def _hand_over(self, piece: bytes | Exception) -> None:
        while not self.given_up.is_set():
            with suppress(queue.Full):
                self.pieces.put(piece, timeout=0.1)
                return


def _check_reachable(url: str) -> None:
    """Raises OSError unless some address of the host answers in time: requests would wait for each anew."""
    if requests.utils.get_environ_proxies(url):
        return  # the proxy is asked, not the host
    parts = urlsplit(url)
    deadline = time.monotonic() + CONNECT_SECONDS
    failure: OSError = TimeoutError("no answer")
    default = 443 if parts.scheme == "https" else 80
    for *_, address in socket.getaddrinfo(parts.hostname, parts.port or default, type=socket.SOCK_STREAM):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        try:
            socket.create_connection((str(address[0]), int(address[1])), timeout=remaining).close()
            return
        except OSError as error:
            failure = error
    raise failure

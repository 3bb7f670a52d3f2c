"""A proxy before a server that answers 500 to every third request; by turns the server has done it or never saw it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from tests.server.gate import pass_on


@dataclass
class Proxy:
    """Where it listens, how many requests came, and how many of the failed ones were done all the same."""

    address: str = ""
    requests: int = 0
    done_and_failed: int = 0
    not_done_and_failed: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, proxy: Proxy, behind: str) -> None:
        self.proxy, self.behind = proxy, behind
        super().__init__(*arguments)

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.proxy.requests = number = next(self.proxy.numbers)
        failed: tuple[int, dict[str, str], bytes] = (500, {}, b"out of order")
        if number % 6 == 3:
            self.proxy.not_done_and_failed += 1
            self._answer(*failed)
            return
        answer = pass_on(self, self.behind, body)
        self.proxy.done_and_failed += number % 6 == 0
        self._answer(*(failed if number % 6 == 0 else answer))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def before(address: str) -> Iterator[Proxy]:
    """Stand before this address until the block ends."""
    proxy = Proxy()
    handler = partial(Handler, proxy=proxy, behind=urlsplit(address).netloc)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        proxy.address = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield proxy
        running.shutdown()

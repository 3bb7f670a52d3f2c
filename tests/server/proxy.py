"""A server that stands before another one: what each answer is, its handler decides."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

Answer = tuple[int, dict[str, str], bytes]
NOT_PASSED_ON = {"authorization", "connection", "content-length", "date", "server", "transfer-encoding"}


class Proxy(BaseHTTPRequestHandler):
    """Answers every request with status, headers and body of what `decide` returns."""

    protocol_version = "HTTP/1.1"
    decide: ClassVar[Callable[["Proxy", bytes], Answer]]
    behind: ClassVar[str]

    def _handle(self) -> None:
        status, headers, body = self.decide(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def pass_on(self, body: bytes) -> Answer:
        """Send the request on, unchanged; returns the answer to it."""
        connection = HTTPConnection(self.behind, timeout=60)
        connection.request(self.command, self.path, body or None, _kept(self.headers))
        answer = connection.getresponse()
        try:
            return answer.status, _kept(answer.headers), answer.read()
        finally:
            connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _kept(headers: Message) -> dict[str, str]:
    """The headers without those that each connection has for itself."""
    return {name: value for name, value in headers.items() if name.lower() not in NOT_PASSED_ON}


@contextmanager
def before(address: str, decide: Callable[[Proxy, bytes], Answer], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Stand before this address until the block ends, with `tls` as HTTPS; where, is returned."""
    handler = type("Handler", (Proxy,), {"decide": decide, "behind": urlsplit(address).netloc})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        if tls is not None:
            running.socket = tls.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{running.server_port}"
        running.shutdown()

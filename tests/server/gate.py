"""A reverse proxy that lets only one user through, by HTTP basic authentication, as a team puts one before MLflow."""

import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

NOT_PASSED_ON = {"authorization", "connection", "content-length", "date", "server", "transfer-encoding"}


@dataclass
class Gate:
    """Where the proxy listens, who may pass, and how often somebody did or did not."""

    address: str = ""
    user: str = "publisher"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    passed: int = 0
    refused: int = 0

    @property
    def variables(self) -> dict[str, str]:
        """What a client needs in its environment."""
        secret = {"MLFLOW_TRACKING_USERNAME": self.user, "MLFLOW_TRACKING_PASSWORD": self.password}
        return {"MLFLOW_TRACKING_URI": self.address} | secret

    @property
    def token(self) -> str:
        """The password as it travels: in base64, together with the user."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Handler(BaseHTTPRequestHandler):
    """Passes a request on and the answer back, unchanged."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, gate: Gate, behind: str) -> None:
        self.gate, self.behind = gate, behind
        super().__init__(*arguments)

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Basic {self.gate.token}":
            self.gate.refused += 1
            self._answer(401, {"WWW-Authenticate": 'Basic realm="MLflow"'}, b"who are you?")
            return
        self.gate.passed += 1
        self._answer(*pass_on(self, self.behind, body))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def pass_on(request: BaseHTTPRequestHandler, behind: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request on to the host `behind`; returns status, headers and body of its answer."""
    connection = HTTPConnection(behind, timeout=60)
    connection.request(request.command, request.path, body or None, _kept(request.headers))
    answer = connection.getresponse()
    try:
        return answer.status, _kept(answer.headers), answer.read()
    finally:
        connection.close()


def _kept(headers: Message) -> dict[str, str]:
    """The headers without those that each connection has for itself."""
    return {name: value for name, value in headers.items() if name.lower() not in NOT_PASSED_ON}


@contextmanager
def before(address: str) -> Iterator[Gate]:
    """Guard this address until the block ends."""
    gate = Gate()
    handler = partial(Handler, gate=gate, behind=urlsplit(address).netloc)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        gate.address = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield gate
        running.shutdown()

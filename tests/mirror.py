"""A web server on 127.0.0.1 that serves a folder, well or badly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Literal

Fault = Literal["missing", "wrong bytes", "cut off", "too short", "hangs up", "odd length"]


@dataclass
class Mirror:
    """Where the server answers, and which files it was asked for so far."""

    address: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(folder: Path, fault: Fault | None = None, only: str = "") -> Iterator[Mirror]:
    """Serve the files of a folder; those whose name contains `only` with this fault."""
    mirror = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            mirror.asked.append(name)
            self._answer(name, fault if only in name else None)

        def _answer(self, name: str, fault: Fault | None) -> None:
            if fault == "hangs up":
                return
            if fault == "missing":
                self.send_error(404)
                return
            content = (folder / name).read_bytes()
            promised = len(content)
            if fault == "wrong bytes":
                content = content[:-1] + bytes([content[-1] ^ 1])
            if fault in ("cut off", "too short"):
                content = content[: promised // 2]
            self.send_response(200)
            length = str(promised if fault == "cut off" else len(content))
            self.send_header("Content-Length", "many" if fault == "odd length" else length)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        mirror.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mirror
        finally:
            server.shutdown()
            thread.join()

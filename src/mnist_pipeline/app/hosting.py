"""Run the page on this machine until Ctrl-C."""

import asyncio
import contextlib
import gc
import ipaddress
import re
import socket
import sys
from collections.abc import Sequence
from typing import Any

import h11
import numpy as np
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mnist_pipeline.app import api
from mnist_pipeline.app.library import LateError, Library
from mnist_pipeline.app.readers import Readers
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.processors import cores
from mnist_pipeline.data import idx
from mnist_pipeline.inference.models import Eager
from mnist_pipeline.pictures import recognition

READY_AT_ONCE = 10
CLIENTS = 500  # connections at once, idle ones too: a browser keeps up to six
SECONDS_TO_ASK = 5  # between two requests too
SECONDS_TO_FINISH = 1
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address; port 0 takes any free one. Raises PipelineError when it can't be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise PipelineError(f"{host}:{port}: {error.strerror}; choose another address with --host and --port") from None


def names(host: str, more: str) -> list[str]:
    """What the page is called, from `--host` and, with commas, `--allowed-hosts`. Raises PipelineError for other than
    a name, an address, `*.` before a name, and `*`."""
    found = [f"[{host}]" if ":" in host else host, *filter(None, more.replace(" ", "").split(","))]
    for one in found:
        if not re.fullmatch(r"\*|(\*\.)?[\w.-]+|\[[0-9A-Fa-f:.]+\]", one):
            raise PipelineError(f"--allowed-hosts: expected names without a port, as box or *.example.org; found {one}")
    return found


def run(library: Library, listener: socket.socket, hosts: list[str]) -> None:
    """Serve the page until Ctrl-C. Raises PipelineError when the first model can't be fetched or is damaged."""
    page = Page(library, hosts)
    warm_up(library)
    page.readers.wait()
    host, port = listener.getsockname()[:2]
    print(f"http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)", flush=True)
    if not ipaddress.ip_address(host).is_loopback:
        names = ", ".join([*api.HOSTS, *hosts])
        print(f"every machine that reaches this one may use it, without a password, as {names}", flush=True)
        print("under other names it answers nobody: --allowed-hosts adds them", flush=True)
    gc.freeze()  # what was imported is not looked through again while it serves
    with contextlib.suppress(KeyboardInterrupt):
        page.run(sockets=[listener])


class Page(uvicorn.Server):
    """What answers, not yet running; every answer, also an error's, forbids the page to load from elsewhere."""

    def __init__(self, library: Library, hosts: Sequence[str] = ()) -> None:
        self.readers = Readers(cores())
        config = uvicorn.Config(
            api.application(library, self.readers, hosts),
            headers=list(HEADERS.items()),
            http=Protocol,
            lifespan="off",
            limit_concurrency=CLIENTS,
            log_level="error",
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
            timeout_keep_alive=SECONDS_TO_ASK,
            ws="none",
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """At once: no picture is worth waiting for."""
        self.readers.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


class Connection(h11.Connection):
    """Takes no body in chunks: those of one byte each would keep the one thread that reads for all connections busy."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request) and any(name == b"transfer-encoding" for name, _ in event.headers):
            raise h11.RemoteProtocolError("in chunks")
        return event


class Protocol(H11Protocol):
    """A connection that ends when no whole head of a request comes in time, or what was answered is not received:
    uvicorn waits for either without end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = Connection(h11.SERVER)

    def send_400_response(self, msg: str) -> None:
        super().send_400_response(f"{msg} Expected HTTP/1.1, and a picture with its Content-Length, not in chunks.")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        with contextlib.suppress(OSError):  # macOS, of a client that is gone already
            # asyncio does so only where a socket names TCP; else the body of an answer waits until the client has
            # acknowledged its head, some 40 ms
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.call_later(SECONDS_TO_ASK, self._close_after, self.cycle)

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        self.loop.call_later(SECONDS_TO_ASK, self._close_after, answered)

    def _close_after(self, last: object) -> None:
        if self.cycle is last:
            self.transport.close()
            self._end_late()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._end_late()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._late = self._end_late()

    def resume_writing(self) -> None:
        self._late.cancel()
        super().resume_writing()

    def _end_late(self) -> asyncio.TimerHandle:
        """Even if the client has not received everything by then."""
        return self.loop.call_later(SECONDS_TO_ASK, self.transport.abort)


def warm_up(library: Library) -> None:
    """Load the first models and use each once, so that the first answers take no longer than the others. The very first
    has to work, unless it needs other code; others that do not are named. After one that is late none is asked for."""
    for place, number in enumerate(list(library.versions)[:READY_AT_ONCE]):
        try:
            model = Eager(library.classifier(number))
            recognition.probabilities(model, np.zeros((idx.SIZE, idx.SIZE), np.float32))
        except PipelineError as error:
            if place == 0 and number not in library.unavailable:
                raise
            print(f"version {number} is not ready: {error}", file=sys.stderr, flush=True)
            if isinstance(error, LateError):
                break

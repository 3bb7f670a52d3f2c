"""Run the page on this machine until Ctrl-C."""

import contextlib
import io
import socket
import sys

import uvicorn
from PIL import Image, ImageDraw

from mnist_pipeline.app import api
from mnist_pipeline.app.library import Library
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pictures import recognition

READY_AT_ONCE = 10
SECONDS_TO_FINISH = 3
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address; port 0 takes any free one. Raises PipelineError when it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise PipelineError(f"{host}:{port}: {error.strerror}; choose another address with --host and --port") from None


def run(library: Library, listener: socket.socket) -> None:
    """Serve the page until Ctrl-C. Raises PipelineError when the first model can't be fetched or is damaged."""
    warm_up(library)
    host, port = listener.getsockname()[:2]
    print(f"http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server(library).run(sockets=[listener])


def server(library: Library) -> uvicorn.Server:
    """What answers, not yet running; every answer, also an error's, forbids the page to load from elsewhere."""
    config = uvicorn.Config(
        api.application(library),
        headers=list(HEADERS.items()),
        lifespan="off",
        ws="none",
        log_level="warning",
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
    return uvicorn.Server(config)


def warm_up(library: Library) -> None:
    """Load the first models and use each once, so that the first answers take no longer than the others.

    The very first has to work, unless it needs other code than is here. Another that does not work is named here, and
    again with the reason when it is chosen.
    """
    stroke = drawing([(0.5, 0.2), (0.5, 0.8)])
    for place, number in enumerate(list(library.versions)[:READY_AT_ONCE]):
        try:
            recognition.recognise(library.classifier(number), io.BytesIO(stroke), "stroke")
        except PipelineError as error:
            if place == 0 and number not in library.unavailable:
                raise
            print(f"version {number} is not ready: {error}", file=sys.stderr, flush=True)


def drawing(points: list[tuple[float, float]]) -> bytes:
    """A PNG as the page sends it: a white line through these points, from 0 to 1, on black."""
    picture, file = Image.new("RGB", (168, 168)), io.BytesIO()
    ImageDraw.Draw(picture).line([(x * 168, y * 168) for x, y in points], fill="white", width=13, joint="curve")
    picture.save(file, "PNG")
    return file.getvalue()

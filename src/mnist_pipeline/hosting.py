"""Run the page on this machine until Ctrl-C."""

import contextlib
import io
import socket
import sys

import uvicorn
from PIL import Image, ImageDraw

from mnist_pipeline import serving
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.library import Library

READY_AT_ONCE = 10
SECONDS_TO_FINISH = 3


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address; port 0 takes any free one. Raises PipelineError when it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise PipelineError(f"{host}:{port}: {error.strerror}; choose another address with --host and --port") from None


def run(library: Library, listener: socket.socket) -> None:
    """Serve the page until Ctrl-C. Raises PipelineError when the first model can't be fetched or is damaged."""
    app = serving.application(library)
    warm_up(library)
    host, port = listener.getsockname()[:2]
    print(f"http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)", flush=True)
    config = uvicorn.Config(app, ws="none", log_level="warning", timeout_graceful_shutdown=SECONDS_TO_FINISH)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def warm_up(library: Library) -> None:
    """Load the first models and use each once, so that the first answers take no longer than the others.

    The very first has to work. Another that does not is named here, and again with the reason when it is chosen.
    """
    stroke = _stroke()
    for place, version in enumerate(list(library.entries)[:READY_AT_ONCE]):
        try:
            serving.recognise(library.classifier(version), stroke)
        except PipelineError as error:
            if place == 0:
                raise
            print(f"version {version} is not ready: {error}", file=sys.stderr, flush=True)


def _stroke() -> bytes:
    """A PNG with a line, drawn as the page draws."""
    picture = Image.new("RGB", (560, 560))
    ImageDraw.Draw(picture).line([(280, 80), (280, 480)], fill="white", width=44)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()

"""What answers the page of `mnist app`: its files, the list of models, and what a model sees in a picture."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import torch
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from starlette.requests import ClientDisconnect

from mnist_pipeline.app.library import Library
from mnist_pipeline.app.readers import Readers
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.processors import cores
from mnist_pipeline.pictures import recognition

PAGE = Path(__file__).with_name("page")
LIMIT = 20_000_000  # bytes of a request; a phone's photo has 5 to 12 million
SMALL, LARGE_AT_ONCE = 200_000, 8  # bytes, more than a drawing has; and how many larger bodies are in memory at once
SECONDS_TO_SEND = 5  # for a whole request
ENDED = "the connection ended before there was an answer"  # said to nobody
HOSTS = ("127.0.0.1", "localhost", "[::1]")  # what a page on this machine is called
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def application(library: Library, readers: Readers, hosts: Sequence[str] = ()) -> FastAPI:
    """The page and what it asks for, over these models; it answers to `HOSTS` and to the names in `hosts`.

    As many pictures are worked on at once as there are cores, each on one thread of torch: more would only take turns.
    Large ones are not even received all at once, which would fill the memory.
    """
    app = FastAPI(openapi_url=None, telemetry=SILENT)  # pages of documentation would load scripts from elsewhere
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*HOSTS, *hosts], www_redirect=False)
    workers = ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,))
    turns, large = asyncio.Semaphore(cores()), asyncio.Semaphore(LARGE_AT_ONCE)

    @app.get("/models")
    def models() -> list[dict[str, Any]]:
        """The registered versions, champion first, then the newest first."""
        return [
            {
                "version": one.number,
                "model": one.model,
                "champion": one.is_champion,
                "test_accuracy": one.test_accuracy,
                "unavailable": library.unavailable.get(one.number),
            }
            for one in library.versions.values()
        ]

    @app.post("/predict")
    async def predict(request: Request, version: int | None = None) -> dict[str, Any]:
        """What a version, by default the first of `models`, sees in the picture that is the body of the request.

        4xx with the reason: 400 no body, 403 asked by another site, 404 no such version, 408 too slow, 413 too large,
        415 not sent as a picture, 422 not a picture that can be read, or an empty one; 503 when the model can't be
        fetched from the registry.
        """
        _refuse_other_sites(request)
        chosen = next(iter(library.versions)) if version is None else version
        if chosen not in library.versions:
            raise HTTPException(404, f"version {version} is not registered; restart `mnist app` to see those that are")
        async with AsyncExitStack() as held:
            if int(request.headers.get("Content-Length", LIMIT)) > SMALL:
                await held.enter_async_context(large)
            content = await _body(request)
            await held.enter_async_context(turns)
            await request.is_disconnected()  # goes on reading a connection that was paused, so that its end is seen
            await asyncio.sleep(0.01)
            if await request.is_disconnected():
                raise HTTPException(400, ENDED)
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(workers, _answer, library, readers, chosen, content)
            except PipelineError as error:
                raise HTTPException(422, str(error)) from None

    @app.exception_handler(RequestValidationError)
    async def explain(_: Request, error: RequestValidationError) -> JSONResponse:
        """A version that is no number, in one line instead of FastAPI's list."""
        (cause,) = error.errors()
        return JSONResponse({"detail": f"version: {cause['msg']}, found {cause['input']!r}"}, 422)

    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


def _refuse_other_sites(request: Request) -> None:
    """Browsers say whose page it is that asks; programs say nothing, and may."""
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    own = origin is None or origin.partition("://")[2] == host
    if not own or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise HTTPException(403, f"only a page of http://{host} may ask this, not one of {origin or 'another site'}")


async def _body(request: Request) -> bytes:
    kind = request.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip().lower()
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise HTTPException(415, f"expected a picture, sent as image/…; found {kind}")
    content = bytearray()
    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            async for chunk in request.stream():
                content += chunk
                if len(content) > LIMIT:
                    raise HTTPException(413, f"expected a picture of at most {LIMIT // 10**6} MB, found a larger one")
    except TimeoutError:
        raise HTTPException(408, f"expected the whole picture within {SECONDS_TO_SEND} s") from None
    except ClientDisconnect:
        raise HTTPException(400, ENDED) from None
    if not content:
        raise HTTPException(400, "expected a picture as the body of the request, found nothing")
    return bytes(content)


def _answer(library: Library, readers: Readers, version: int, content: bytes) -> dict[str, Any]:
    """The likeliest digit, ten probabilities, and the 28×28 picture that the network saw: 0 background to 255 ink."""
    try:
        classifier = library.classifier(version)
    except PipelineError as error:
        raise HTTPException(503, str(error)) from None
    pixels = readers.read(content)
    found = recognition.probabilities(classifier, pixels)
    return {"digit": found.index(max(found)), "probabilities": found, "seen": pixels.round().astype(int).tolist()}

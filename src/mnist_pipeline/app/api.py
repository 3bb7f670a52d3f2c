"""What answers the page of `mnist app`: its files, the list of models, and what a model sees in a picture."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import torch
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from mnist_pipeline.app.library import Library
from mnist_pipeline.app.readers import Readers
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.processors import cores
from mnist_pipeline.inference.models import Eager
from mnist_pipeline.pictures import recognition
from mnist_pipeline.training.predictor import Classifier

PAGE = Path(__file__).with_name("page")
LIMIT = 20_000_000  # bytes of a request; a phone's photo has 5 to 12 million
SMALL, LARGE_AT_ONCE = 200_000, 8  # bytes, more than a drawing has; and how many larger bodies are in memory at once
SECONDS_TO_SEND = 5  # for a small body; for a large one, each for its beginning and for the rest
SECONDS_TO_WAIT = 30  # between the two, until fewer large bodies are in memory
ENDED = "the connection ended before there was an answer"  # said to nobody
HOSTS = ("127.0.0.1", "localhost", "[::1]")  # what a page on this machine is called
SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def application(library: Library, readers: Readers, hosts: Sequence[str] = ()) -> FastAPI:
    """The page and what it asks for, over these models; it answers to `HOSTS` and to the names in `hosts`."""
    app = FastAPI(openapi_url=None, telemetry=SILENT)  # pages of documentation would load scripts from elsewhere
    app.add_middleware(_only_to, hosts=[*HOSTS, *hosts])
    routes = Routes(library, readers)
    app.get("/models")(routes.models)
    app.post("/predict")(routes.predict)
    app.exception_handler(RequestValidationError)(_explain)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


class Routes:
    """What the page asks of these models; as many pictures are worked on at once as there are cores, each on one thread
    of torch. Large ones are not even received all at once, which would fill the memory."""

    def __init__(self, library: Library, readers: Readers) -> None:
        self._library, self._readers = library, readers
        self._workers = ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,))
        self._turns, self._large = asyncio.Semaphore(cores()), asyncio.Semaphore(LARGE_AT_ONCE)

    def models(self) -> list[dict[str, Any]]:
        """The registered versions, champion first, then the newest first."""
        return [
            {
                "version": one.number,
                "model": one.model,
                "classes": one.classes,
                "champion": one.is_champion,
                "test_accuracy": one.test_accuracy,
                "unavailable": self._library.unavailable.get(one.number),
            }
            for one in self._library.versions.values()
        ]

    async def predict(self, request: Request, version: int | None = None) -> dict[str, Any]:
        """What a version, by default the first of `models`, sees in the picture that is the body of the request.

        With the reason: 400 no body, 403 asked by another site, 404 no such version, 408 too slow, 413 too large, 415
        not sent as a picture, 422 not one that can be read, or empty; 503 the model can't be fetched in time, or too
        many large pictures came at once.
        """
        _refuse_other_sites(request)
        versions = self._library.versions
        chosen = next(iter(versions)) if version is None else version
        if chosen not in versions:
            raise HTTPException(404, f"version {version} is not registered; restart `mnist app` to see those that are")
        try:
            classifier = await self._library.arrival(chosen)
        except PipelineError as error:
            raise HTTPException(503, str(error)) from None
        async with AsyncExitStack() as held:
            content = await self._body(request, held)
            await held.enter_async_context(self._turns)
            await request.is_disconnected()  # goes on reading a connection that was paused, so that its end is seen
            if await request.is_disconnected():
                raise HTTPException(400, ENDED)
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._workers, _answer, classifier, self._readers, content)
            except PipelineError as error:
                raise HTTPException(422, str(error)) from None

    async def _body(self, request: Request, held: AsyncExitStack) -> bytes:
        """The picture that is sent. The rest of a large one waits for its turn, which `held` keeps."""
        kind = request.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip().lower()
        if not kind.startswith("image/") and kind != "application/octet-stream":
            raise HTTPException(415, f"expected a picture, sent as image/…; found {kind}")
        content, stream = bytearray(), request.stream()
        try:
            await _receive(stream, content, SMALL)
            if len(content) > SMALL:
                await self._turn_of_large(held)
                await _receive(stream, content, LIMIT)
        except TimeoutError:
            raise HTTPException(408, f"expected the whole picture within {SECONDS_TO_SEND} s") from None
        except ClientDisconnect:
            raise HTTPException(400, ENDED) from None
        if not content:
            raise HTTPException(400, "expected a picture as the body of the request, found nothing")
        if len(content) > LIMIT:
            raise HTTPException(413, f"expected a picture of at most {LIMIT // 10**6} MB, found a larger one")
        return bytes(content)

    async def _turn_of_large(self, held: AsyncExitStack) -> None:
        try:
            async with asyncio.timeout(SECONDS_TO_WAIT):
                await held.enter_async_context(self._large)
        except TimeoutError:
            raise HTTPException(503, "too many large pictures at once; send it again later, or a smaller one") from None


def _only_to(app: ASGIApp, hosts: Sequence[str]) -> ASGIApp:
    """An application that answers to these hosts alone, as Starlette's TrustedHostMiddleware, but says so to others."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "")
        name = re.sub(r":\d*$", "", host).lower()
        known = any(name == one or (one[0] == "*" and name.endswith(one[1:])) for one in map(str.lower, hosts))
        reason = f"the host {host!r} is no name of this page; `mnist app --allowed-hosts NAME` adds one"
        await (app if known else JSONResponse({"detail": reason}, 400))(scope, receive, send)

    return answer


async def _explain(_: Request, error: RequestValidationError) -> JSONResponse:
    """A version that is no number, in one line instead of FastAPI's list."""
    (cause,) = error.errors()
    return JSONResponse({"detail": f"version: {cause['msg']}, found {cause['input']!r}"}, 422)


def _refuse_other_sites(request: Request) -> None:
    """Browsers say whose page it is that asks; programs say nothing, and may."""
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    own = origin is None or origin.partition("://")[2] == host
    if not own or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise HTTPException(403, f"only a page of http://{host} may ask this, not one of {origin or 'another site'}")


async def _receive(stream: AsyncIterator[bytes], content: bytearray, most: int) -> None:
    """Add what is sent to `content`, to its end or until there are more than `most` bytes."""
    async with asyncio.timeout(SECONDS_TO_SEND):
        async for chunk in stream:
            content += chunk
            if len(content) > most:
                return


def _answer(classifier: Classifier, readers: Readers, content: bytes) -> dict[str, Any]:
    """The place of the likeliest among `classes`, their probabilities, and the 28×28 pixels that the network saw."""
    pixels = readers.read(content)
    found = recognition.probabilities(Eager(classifier), pixels)
    seen = pixels.round().astype(int).tolist()
    return {"digit": found.index(max(found)), "probabilities": found, "classes": classifier.classes, "seen": seen}

"""How long the page waits for an answer: one client, and fifty at once, of the real `mnist app` with the champion."""

import io
import itertools
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import requests
from PIL import Image, ImageDraw

from benchmarks import report
from mnist_pipeline.app import readers
from mnist_pipeline.core import tables
from mnist_pipeline.core.errors import PipelineError

ALONE, PHOTOS, CLIENTS, EACH = 200, 100, 50, 20
DRAWING, SLOW_DRAWING, PHOTO, FIRST = 15.0, 30.0, 100.0, 100.0  # milliseconds
ANSWERS = 150.0  # a second, of fifty clients at once
DIGITS = (
    [(0.50, 0.14), (0.50, 0.86)],
    [(0.30, 0.21), (0.71, 0.21), (0.46, 0.82)],
    [(0.34, 0.25), (0.50, 0.18), (0.64, 0.30), (0.46, 0.48), (0.66, 0.70), (0.52, 0.82), (0.34, 0.77)],
    [(0.68, 0.20), (0.36, 0.20), (0.34, 0.46), (0.64, 0.50), (0.67, 0.65), (0.58, 0.80), (0.32, 0.75)],
)
TEXT = """Milliseconds from sending a drawing of 168×168 pixels, as the page does, to the whole answer: the ten
probabilities and the picture that the network sees; and the same for a photo of 560×420 pixels, to which the page
reduces larger ones. The clients run on the same cores as the server, each over one connection; the fifty begin
together and send their next drawing as soon as they have an answer."""


def run() -> str:
    drawings = [readers.drawing(points) for points in DIGITS]
    with _app() as address:
        first, _ = _ask(address, drawings, 1)
        alone, failed = _ask(address, drawings, ALONE)
        photos, unread = _ask(address, [photo()], PHOTOS)
        began = time.perf_counter()
        together, errors = _ask_together(address, drawings)
        answers = (len(together) - errors) / (time.perf_counter() - began)
    rows = [
        {"clients": 1, "sent": "drawings", **_summary(alone), "errors": failed},
        {"clients": 1, "sent": "a photo", **_summary(photos), "errors": unread},
        {"clients": CLIENTS, "sent": "drawings", **_summary(together), "errors": errors},
    ]
    verdicts = [
        report.verdict("one client, median, ms", float(np.median(alone)), at_most=DRAWING),
        report.verdict("one client, 95th percentile, ms", float(np.percentile(alone, 95)), at_most=SLOW_DRAWING),
        report.verdict("one client, a photo, median, ms", float(np.median(photos)), at_most=PHOTO),
        report.verdict("the first answer after the start, ms", first[0], at_most=FIRST),
        report.verdict(f"{CLIENTS} clients at once, answers a second", answers, at_least=ANSWERS),
        report.verdict(f"{CLIENTS} clients at once, errors", errors, at_most=0),
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def photo() -> bytes:
    """A digit on lit, grainy paper, 560×420 pixels: as the page sends a photo, however large it was."""
    random = np.random.default_rng(0)
    light = np.linspace(150, 215, 560)[None, :, None] * np.array([1, 0.93, 0.8])
    paper = Image.fromarray((light + random.normal(0, 5, (420, 560, 3))).clip(0, 255).astype(np.uint8))
    points = [(245, 140), (329, 133), (301, 196), (336, 245), (301, 301), (242, 290)]
    ImageDraw.Draw(paper).line(points, fill=(40, 40, 90), width=8, joint="curve")
    file = io.BytesIO()
    paper.save(file, "PNG")
    return file.getvalue()


@contextmanager
def _app() -> Iterator[str]:
    with subprocess.Popen(["mnist", "app", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().split(" ")[0] if process.stdout else ""
            if not address:
                raise PipelineError("`mnist app` did not start: see above")
            yield address
        finally:
            process.send_signal(signal.SIGINT)


def _ask(address: str, drawings: list[bytes], times: int) -> tuple[list[float], int]:
    """Milliseconds of each answer of so many, one after the other, and how many were none."""
    took, errors = [], 0
    with requests.Session() as session:
        for drawing in itertools.islice(itertools.cycle(drawings), times):
            began = time.perf_counter()
            try:
                answer = session.post(f"{address}/predict", drawing, headers={"Content-Type": "image/png"}, timeout=60)
                errors += not answer.ok
            except requests.RequestException:
                errors += 1
            took.append(1000 * (time.perf_counter() - began))
    return took, errors


def _ask_together(address: str, drawings: list[bytes]) -> tuple[list[float], int]:
    start = threading.Barrier(CLIENTS)

    def client(_: int) -> tuple[list[float], int]:
        start.wait()
        return _ask(address, drawings, EACH)

    with ThreadPoolExecutor(CLIENTS) as clients:
        found = list(clients.map(client, range(CLIENTS)))
    return [milliseconds for took, _ in found for milliseconds in took], sum(errors for _, errors in found)


def _summary(took: list[float]) -> dict[str, Any]:
    return {
        "answers": len(took),
        "median, ms": f"{np.median(took):.1f}",
        "95th percentile, ms": f"{np.percentile(took, 95):.1f}",
        "slowest, ms": f"{max(took):.1f}",
    }

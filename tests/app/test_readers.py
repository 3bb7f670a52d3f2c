"""Readers: what a picture does to its process ends with that, and the next picture is read."""

import contextlib
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from PIL import Image

from mnist_pipeline.app import readers
from mnist_pipeline.app.readers import Readers
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pictures import reader
from tests.pictures import bombs

SEVEN = readers.drawing([(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)])


@pytest.fixture
def one() -> Iterator[Readers]:
    """A single process, ready to read; afterwards it is gone."""
    reading = Readers(1)
    try:
        reading.wait()
        yield reading
    finally:
        reading.close()
        assert _processes() == []


def _processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if readers.__name__ in child.cmdline()]


def _reads(reading: Readers) -> bool:
    return bool(np.array_equal(reading.read(SEVEN), reader.read(io.BytesIO(SEVEN), "seven")[1]))


@pytest.mark.parametrize("kind", readers.FORMATS)
def test_a_picture_is_read_as_on_the_command_line(kind: str, one: Readers) -> None:
    with Image.open(io.BytesIO(SEVEN)) as picture:
        content = bombs.saved(picture, kind)
    assert np.array_equal(one.read(content), reader.read(io.BytesIO(content), "seven")[1])


def test_a_picture_that_takes_too_long_is_given_up_with_its_process(
    one: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = _processes()
    monkeypatch.setattr(readers, "SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(PipelineError, match=r"^picture: not read within 1 s; make it smaller or simpler$"):
        one.read(bombs.jpeg())
    assert time.monotonic() - began < 2
    assert not before.is_running()
    monkeypatch.undo()
    assert _reads(one)


@pytest.mark.parametrize("content", [bombs.png(), bombs.webp(4000), bombs.gif()], ids=["PNG", "WebP", "GIF"])
def test_a_picture_that_takes_too_much_memory_is_refused(content: bytes, one: Readers) -> None:
    with pytest.raises(PipelineError, match=r"^picture: takes more memory than there is for it: make it smaller$"):
        one.read(content)
    (process,) = _processes()
    assert process.memory_info().vms < process.rlimit(psutil.RLIMIT_AS)[0] < 1 << 30
    assert _reads(one)


@pytest.mark.parametrize("content", [bombs.tiff(), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_formats_that_nobody_has_on_a_page_are_refused(content: bytes, one: Readers) -> None:
    with pytest.raises(PipelineError, match=r"^picture: not a picture .*; expected BMP, GIF, JPEG, PNG, WEBP$"):
        one.read(content)


def test_a_process_that_was_killed_is_replaced(one: Readers) -> None:
    (process,) = _processes()
    process.kill()
    process.wait()
    assert _reads(one)


def test_a_process_that_is_stopped_is_replaced(one: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not even receive the picture, which is more than fits between two processes."""
    (process,) = _processes()
    process.suspend()
    monkeypatch.setattr(readers, "SECONDS", 1.0)
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(one.read, SEVEN + bytes(5_000_000))
        try:
            with pytest.raises(PipelineError, match=r"^picture: not read within 1 s; make it smaller or simpler$"):
                answer.result(timeout=5)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    monkeypatch.undo()
    assert _reads(one)


def test_whoever_waits_for_a_picture_hears_of_the_end(one: Readers) -> None:
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(one.read, bombs.jpeg())
        time.sleep(0.3)
        one.close()
        with pytest.raises(PipelineError, match="picture: the process that read it ended"):
            answer.result(timeout=1)

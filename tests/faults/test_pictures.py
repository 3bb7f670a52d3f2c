"""Mutated pictures and bombs sent to the page: each is answered in time, and so are honest clients beside them."""

import io
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
import requests
from PIL import Image

from mnist_pipeline.app import readers
from mnist_pipeline.core.processors import cores
from tests.faults.conftest import Write
from tests.faults.mutations import MUTATIONS, SIZES, Change
from tests.pictures import bombs
from tests.shelf import Registry, serve

pytestmark = pytest.mark.faults
HONEST, ATTACKERS = 50, 4
IN_TIME = 10.0  # seconds: twice two pictures before it that are given up, and its own
MOST_MEMORY = 512 * bombs.MIB  # of a process: what it starts with, and what it may have beyond
SEVEN = readers.drawing([(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)])


@dataclass
class Row:
    """What came of the pictures of one kind."""

    refused: int = 0
    recognised: int = 0
    slowest: float = 0.0

    def count(self, answer: requests.Response, seconds: float) -> None:
        self.refused += not answer.ok
        self.recognised += answer.ok
        self.slowest = max(self.slowest, seconds)


@dataclass
class Honest:
    """Clients that draw, each with a pause between two drawings; `wrong` answers are no answers or other ones."""

    address: str
    expected: dict[str, Any]
    row: Row = field(default_factory=Row)
    wrong: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def draw(self, seed: int) -> None:
        random = Random(seed)  # noqa: S311
        while True:
            answer, seconds = send(self.address, SEVEN)
            self.row.count(answer, seconds)
            if not answer.ok or answer.json() != self.expected:
                self.wrong.append(answer.text)
            if self.ended.wait(random.uniform(4, 12)):
                return


def send(address: str, content: bytes) -> tuple[requests.Response, float]:
    began = time.monotonic()
    answer = requests.post(f"{address}/predict", content, headers={"Content-Type": "image/png"}, timeout=60)
    return answer, time.monotonic() - began


def test_pictures(tmp_path: Path, full: bool, record: Write) -> None:
    """In random order, from a few clients at once. Afterwards the page has its processes, and answers as before."""
    random = Random(0)  # noqa: S311
    made = {name: make() for name, make in bombs.ALL.items()}
    sent = [*list(made.items()) * (6 if full else 1), *mutated(random, 2400 if full else 160)]
    random.shuffle(sent)
    rows: dict[str, Row] = {name: Row() for name in [*made, *KINDS]}
    with serve(Registry(tmp_path / "registry").library(tmp_path / "kept")) as address:
        expected = send(address, SEVEN)[0].json()
        with _honest(address, expected) as honest, _memory() as peak, ThreadPoolExecutor(ATTACKERS) as attackers:
            answers = attackers.map(partial(send, address), [content for _, content in sent])
            for (name, _), (answer, seconds) in zip(sent, answers, strict=True):
                assert answer.status_code in (200, 400, 422), (name, answer.text)
                assert "\n" not in answer.text
                rows[name].count(answer, seconds)
        assert send(address, SEVEN)[0].json() == expected
        assert len(_processes()) == cores()
    assert _processes() == []
    rows[f"{HONEST} honest clients, drawings"] = honest.row
    text = (
        f"{len(sent)} pictures from {ATTACKERS} clients at once, each answered, on {cores()} cores; no process that "
        f"read them had more than {max(peak) >> 20} MiB. Beside them {HONEST} clients drew, with 4 to 12 s between "
        f"drawings: {len(honest.wrong)} wrong answers. Seed 0."
    )
    record("Pictures sent to the page", text, [_shown(name, row) for name, row in rows.items()])
    assert honest.wrong == []
    assert honest.row.recognised >= HONEST
    assert max(row.slowest for row in rows.values()) < IN_TIME
    assert max(peak) < MOST_MEMORY
    assert sum(rows[name].recognised for name in KINDS) > 0


@contextmanager
def _honest(address: str, expected: dict[str, Any]) -> Iterator[Honest]:
    honest = Honest(address, expected)
    with ThreadPoolExecutor(HONEST) as clients:
        drawing = [clients.submit(honest.draw, seed) for seed in range(HONEST)]
        try:
            yield honest
        finally:
            honest.ended.set()
    for one in drawing:
        one.result()


def _processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if readers.__name__ in child.cmdline()]


@contextmanager
def _memory() -> Iterator[list[int]]:
    """The resident memory of each process that reads, in bytes, as it is seen every now and then until the end."""
    seen, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            for process in psutil.Process().children():
                try:
                    if readers.__name__ in process.cmdline():  # before that it is a copy of this one
                        seen.append(process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


def _shown(name: str, row: Row) -> dict[str, str | int]:
    total = row.refused + row.recognised
    return {
        "sent": name,
        "times": total,
        "refused": row.refused,
        "recognised": row.recognised,
        "slowest": f"{row.slowest:.1f} s",
    }


def mutated(random: Random, count: int) -> Iterator[tuple[str, bytes]]:
    """So many drawings in all formats of the page, each damaged in one way; the ways take turns."""
    with Image.open(io.BytesIO(SEVEN)) as picture:
        picture.load()
        whole = [bombs.saved(picture, kind) for kind in readers.FORMATS]
        whole += [bombs.saved(picture, "JPEG", progressive=True), bombs.saved(picture, "WEBP", lossless=True)]
        frames = [picture.rotate(turn) for turn in range(0, 40, 10)]
        whole += [bombs.saved(picture, kind, save_all=True, append_images=frames) for kind in ("GIF", "WEBP", "PNG")]
    for number in range(count):
        name = list(KINDS)[number % len(KINDS)]
        yield name, KINDS[name](random, random.choice(whole))


def _number(random: Random, content: bytes) -> bytes:
    """Two or four bytes near the beginning, where sizes stand, made a telling number."""
    place, size = random.randrange(min(64, len(content) - 4)), random.choice(SIZES)
    packed = struct.pack(random.choice("<>") + "I", size) if random.random() < 0.5 else struct.pack("<H", size % 65536)
    return content[:place] + packed + content[place + len(packed) :]


def _with_right_checksums(change: Change) -> Change:
    """The change, after which every chunk of a PNG has the checksum that belongs to it."""

    def changed(random: Random, content: bytes) -> bytes:
        result, place = bytearray(change(random, content)), 8
        while result.startswith(b"\x89PNG") and place + 12 <= len(result):
            end = place + 8 + int.from_bytes(result[place : place + 4], "big")
            result[end : end + 4] = struct.pack(">I", zlib.crc32(result[place + 4 : end]))
            place = end + 4
        return bytes(result)

    return changed


KINDS: dict[str, Callable[[Random, bytes], bytes]] = {
    "a bit anywhere": MUTATIONS["a bit anywhere"],
    "a bit anywhere, checksums right": _with_right_checksums(MUTATIONS["a bit anywhere"]),
    "a number of the header": _number,
    "a number of the header, checksums right": _with_right_checksums(_number),
    "bytes overwritten": MUTATIONS["bytes overwritten"],
    "bytes lost": MUTATIONS["bytes lost"],
    "bytes put between": MUTATIONS["bytes put between"],
    "cut off": MUTATIONS["cut off"],
}

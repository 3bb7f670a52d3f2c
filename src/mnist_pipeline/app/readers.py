"""Pictures read in processes of their own, each with little memory and time: what a file, which anybody may send, does
to its decoder ends with that process, which is replaced."""

import contextlib
import io
import math
import os
import queue
import resource
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Timer

import numpy as np
import psutil
from PIL import Image, ImageDraw

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import idx
from mnist_pipeline.pictures import reader
from mnist_pipeline.pictures.normalisation import Pixels

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")  # what people have, and browsers show
SECONDS, SECONDS_TO_START = 2.0, 60.0
MEMORY = 256 << 20  # bytes, beyond what a process has once it is ready; held to on Linux alone
LONGEST_ANSWER = 1 << 16  # bytes
READ, REFUSED = b"+", b"-"  # what an answer begins with, before pixels as float32 or before the reason


class Reader:
    """A process that reads one picture after the other; a new one takes its place when it is killed or ends."""

    def __init__(self) -> None:
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._connection, other = Pipe()
        self._ready = False
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(other.fileno())],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the page, which ends it
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
            )

    def wait(self) -> None:
        """Until it is ready to read. Raises PipelineError when it does not get so far."""
        try:
            self._ready = self._ready or self._receive(SECONDS_TO_START) == b""
        except (EOFError, OSError):
            raise PipelineError("the process that reads pictures did not start: see above") from None

    def read(self, content: bytes) -> Pixels:
        """What a network sees in the picture file: float32 (28, 28), 0 background to 255 ink. Raises PipelineError, in
        one line, when it can't be read within `SECONDS` and `MEMORY`, or shows no digit."""
        if self._process.poll() is not None:
            self._replace()
        self.wait()
        answer, began, limit = b"", time.monotonic(), Timer(SECONDS, self._process.kill)
        limit.start()  # a process that is stopped does not even take what is sent
        with contextlib.suppress(EOFError, OSError):
            self._connection.send_bytes(content)
            answer = self._connection.recv_bytes(LONGEST_ANSWER)
        limit.cancel()
        slow = time.monotonic() - began >= SECONDS  # the process may be killed, whatever it answered
        if slow or not answer:
            self._replace()
            cause = f"not read within {SECONDS:.0f} s" if slow else "the process that read it ended"
            raise PipelineError(f"picture: {cause}; make it smaller or simpler")
        if answer[:1] != READ:
            raise PipelineError(answer[1:].decode())
        return np.frombuffer(bytearray(answer[1:]), np.float32).reshape(idx.SIZE, idx.SIZE)

    def close(self) -> None:
        """End the process, whatever it does; nothing takes its place. Any thread may call it."""
        self._closed = True
        self._end()

    def _replace(self) -> None:
        self._end()
        if not self._closed:
            self._connection.close()
            self._start()
        if self._closed:  # meanwhile, too
            self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _receive(self, seconds: float) -> bytes:
        if not self._connection.poll(seconds):
            raise TimeoutError
        return self._connection.recv_bytes(LONGEST_ANSWER)


class Readers:
    """Several of them, which threads may share."""

    def __init__(self, number: int) -> None:
        self._all = [Reader() for _ in range(number)]
        self._idle: queue.LifoQueue[Reader] = queue.LifoQueue()
        for one in self._all:
            self._idle.put(one)

    def wait(self) -> None:
        """Until all are ready to read. Raises PipelineError when one does not get so far."""
        for one in self._all:
            one.wait()

    def read(self, content: bytes) -> Pixels:
        """What the next idle one reads; see `Reader.read`."""
        one = self._idle.get()
        try:
            return one.read(content)
        finally:
            self._idle.put(one)

    def close(self) -> None:
        """End all processes; what they are reading is refused."""
        for one in self._all:
            one.close()


def drawing(points: list[tuple[float, float]]) -> bytes:
    """A PNG as the page sends it: a white line through these points, from 0 to 1, on black."""
    picture, file = Image.new("RGB", (168, 168)), io.BytesIO()
    ImageDraw.Draw(picture).line([(x * 168, y * 168) for x, y in points], fill="white", width=13, joint="curve")
    picture.save(file, "PNG")
    return file.getvalue()


def main() -> None:
    """Be such a process: answer what comes through the connection, whose number is the argument, until it ends."""
    with Connection(int(sys.argv[1])) as page, contextlib.suppress(EOFError, ConnectionError):
        Image.init()
        _answer(drawing([(0.5, 0.2), (0.5, 0.8)]))  # loads what is loaded at first use
        if sys.platform == "linux":
            most = psutil.Process().memory_info().vms + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        page.send_bytes(b"")
        while True:
            content = page.recv_bytes()
            signal.alarm(math.ceil(SECONDS) + 1)  # the end, should the page be gone by then
            page.send_bytes(_answer(content))
            signal.alarm(0)


def _answer(content: bytes) -> bytes:
    try:
        return READ + reader.read(io.BytesIO(content), "picture", FORMATS)[1].tobytes()
    except PipelineError as error:
        return REFUSED + str(error).encode()
    except MemoryError:
        return REFUSED + b"picture: takes more memory than there is for it: make it smaller"


if __name__ == "__main__":
    main()

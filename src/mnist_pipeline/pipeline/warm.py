"""Commands of stages as forks of one process that has loaded their libraries, whose import is half of a short stage.

Only for `exec python3 SCRIPT ARGUMENTS` by this environment's Python, in portable arithmetic on one thread: a fork has
none of its parent's threads, and other arithmetics leave OpenBLAS as many as there are cores. All else starts afresh.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import params, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline.commands import NOTE, Work

SCRIPT = Path(__file__).with_name("forks.py")
KILLED = b"error: the process that this stage was forked from has ended; .logs/forks.log may say why\n"


class Request(NamedTuple):
    """What a fork is to become: Python, script with arguments, folder, environment."""

    python: str
    command: list[str]
    folder: Path
    environment: dict[str, str]


class Forked:
    """A command that runs as a fork."""

    def __init__(self, pid: int, ended: BinaryIO, log: Path) -> None:
        self.pid, self.ended, self.log = pid, ended, log

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> tuple[int, float]:
        """Exit code and core-seconds, once it has ended."""
        said = b""
        with self.ended, suppress(ConnectionError):
            said = self.ended.read()
        status, _, core_seconds = said.partition(b" ")
        if not core_seconds:  # it ends, too: bootstrap.py
            with self.log.open("ab") as log:
                log.write(KILLED)
            return -signal.SIGKILL, 0.0
        return os.waitstatus_to_exitcode(int(status)), float(core_seconds)


class Warm:
    """The process to fork, started by the first command that can be a fork; it ends with this context, or with us."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.lost = ""  # why there is nothing to fork
        self.said = False
        self.lock, self.ended = threading.Lock(), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.runner.close()
            self.process.wait()

    def prepare(self, work: Work) -> Request | None:
        """What to fork for, once the libraries are loaded; None for a command that is none to fork for."""
        request = _request(work)
        with self.lock:
            if request and self.process is None and not self.lost:
                try:
                    self._start(request)
                except OSError as error:
                    self.lost = str(error)
        return request

    def _start(self, request: Request) -> None:
        self.runner, theirs = socket.socketpair()
        with theirs, self.log.open("wb") as log:
            command, inherited = [request.python, str(SCRIPT), str(theirs.fileno())], [theirs.fileno()]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=request.environment, cwd=request.folder, pass_fds=inherited
            )
        if self.ended:
            self.process.terminate()
        if not self.runner.recv(len("ready")):
            said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            self.lost = said[-1] if said else f"it ended with exit code {self.process.wait()}"

    def fork(self, request: Request, output: BinaryIO) -> Forked | None:
        """Start a command, its output in that file; None, and there once a line on why, to start afresh."""
        if not self.lost and (forked := self._ask(request, output)):
            return forked
        self.lost = self.lost or f"it has ended; {self.log} may say why"
        if not self.said:
            said = f"{NOTE}no fork of a process with all libraries loaded, but a slower start: {self.lost}\n"
            output.write(said.encode())
            output.flush()
        self.said = True
        return None

    def _ask(self, request: Request, output: BinaryIO) -> Forked | None:
        """None when the process to fork is gone."""
        ours, theirs = socket.socketpair()
        with ours, suppress(ConnectionError):
            with theirs:
                socket.send_fds(self.runner, [b"f"], [theirs.fileno(), output.fileno()])
            ours.sendall(json.dumps([request.command, str(request.folder), request.environment]).encode())
            ours.shutdown(socket.SHUT_WR)
            answers = ours.makefile("rb")
            if pid := answers.readline():
                return Forked(int(pid), answers, Path(output.name))
            answers.close()
        return None

    def end(self) -> None:
        """Do not wait for libraries any longer; forks run on."""
        self.ended = True
        if self.process:
            self.process.terminate()


def _request(work: Work) -> Request | None:
    """None for a command that is none to fork for."""
    environment = dict(work.environment or os.environ)
    python, script = shutil.which("python3", path=environment.get("PATH")), _script(work.command)
    if not script or not _is_ours(python):
        return None
    try:
        runtime = params.load(work.folder / paths.PARAMS).runtime
    except (PipelineError, OSError):  # the stage says it
        return None
    pins = portable.pinned(runtime)
    if not pins or runtime.threads != 1:
        return None
    kept = {name: value for name, value in environment.items() if name not in portable.LOOSE}
    return Request(str(python), script, work.folder, kept | pins)


def _script(command: Any) -> list[str]:
    """SCRIPT and ARGUMENTS; none if the command is another, or has what a shell would do more with than to split it."""
    text = command[-1] if isinstance(command, list) else command
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    plain = shlex.join(words) == text and words[:2] == ["exec", "python3"]
    return words[2:] if plain and not "".join(words[2:]).startswith("-") else []


def _is_ours(python: str | None) -> bool:
    """Whether it is the Python that runs here, in the same environment."""
    here = Path(sys.executable)
    found = Path(python or "")
    return found.is_absolute() and found.parent.samefile(here.parent) and found.samefile(here)

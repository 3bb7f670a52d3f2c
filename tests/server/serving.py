"""A program that serves while a test runs: it ends with the block that started it, and its log is in a file."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 60.0


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_user(name: str | None) -> list[str]:
    """What to put before a command for it to run as somebody else; only root can."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"] if name else []


@contextmanager
def serving(
    command: list[str],
    environment: Mapping[str, str],
    log: Path,
    ready: Callable[[], bool],
    stop: signal.Signals = signal.SIGTERM,
    user: str | None = None,
) -> Iterator[None]:
    """Run a command until the block ends; `stop` asks it to end, and what outlasts that is killed.

    The kernel sends `stop` too when this process dies without a chance to do it; a change of user would undo that, so
    it comes first.
    """
    tied = [*as_user(user), "setpriv", "--pdeathsig", stop.name.removeprefix("SIG"), *command]
    with log.open("ab") as output:
        process = subprocess.Popen(tied, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(process, log, ready)
        yield
    finally:
        _end(process, stop)


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not answer; {log}:\n{log.read_text(errors='replace')}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(stop)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

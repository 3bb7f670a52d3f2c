"""`mnist publish` beside another process, in an order of calls that otherwise only bad luck brings about.

lockstep              meets the other before every write that can collide: each finds what the other found
filling, following    the second begins when the first has just made its run, and both fill theirs at once
overtaking            does everything while the other stalls in the middle of its work
a method's name       stalls at the first call of this method of MLflow's client, until the other is done

What is called, and what the server answers, stays as it is. Run in a repository: python interleaving.py FOLDER ME OTHER
HOW, where FOLDER is shared.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

import mnist_pipeline.registry  # noqa: F401 # sets MLflow's switches, which MLflow reads when it is imported

from mlflow.tracking import MlflowClient  # isort: skip
from mnist_pipeline.cli import run as run_command

COLLIDING = (
    "create_experiment",
    "create_run",
    "log_inputs",
    "create_registered_model",
    "create_model_version",
    "set_registered_model_alias",
    "delete_model_version",
    "delete_run",
)
FILLING = ("log_batch", "log_inputs")
ELSEWHERE = 4.0
STALLED = 120.0


@dataclass(frozen=True)
class Meeting:
    """Two processes that leave each other marks in a folder."""

    folder: Path
    me: str
    other: str

    def mark(self, occasion: str) -> None:
        (self.folder / f"{occasion}.{self.me}").touch()

    def wait(self, occasion: str, patience: float) -> None:
        """Until the other has left this mark or ended, or so many seconds have passed."""
        marks = [self.folder / f"{occasion}.{self.other}", self.folder / f"end.{self.other}"]
        deadline = time.monotonic() + patience
        while not any(mark.exists() for mark in marks) and time.monotonic() < deadline:
            time.sleep(0.002)

    def meet(self, occasion: str) -> None:
        """Wait for the other to get here too, but not for long: it may have taken another way."""
        self.mark(occasion)
        self.wait(occasion, ELSEWHERE)

    def stall(self, occasion: str) -> None:
        """Let the other do all its work now, the first time."""
        if occasion.endswith("-1"):
            self.mark("stalled")
            self.wait("end", STALLED)


def before(name: str, wait: Callable[[str], None]) -> None:
    """Let every call of a method of MLflow's client wait first."""
    method: Callable[..., Any] = getattr(MlflowClient, name)
    calls = count(1)

    @wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        wait(f"{name}-{next(calls)}")
        return method(*arguments, **named)

    setattr(MlflowClient, name, call)


def arrange(meeting: Meeting, how: str) -> None:
    if how == "overtaking":
        meeting.wait("stalled", STALLED)
    elif how == "following":
        meeting.wait(f"{FILLING[0]}-1", STALLED)
    meets = {"lockstep": COLLIDING, "filling": FILLING, "following": FILLING, "overtaking": ()}
    for name in meets.get(how, ()):
        before(name, meeting.meet)
    if how not in meets:
        before(how, meeting.stall)


def main(folder: str, me: str, other: str, how: str) -> None:
    meeting = Meeting(Path(folder), me, other)
    try:
        arrange(meeting, how)
        sys.argv = ["mnist", "publish"]
        run_command()
    finally:
        meeting.mark("end")


if __name__ == "__main__":
    main(*sys.argv[1:])

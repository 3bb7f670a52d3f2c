"""Publish beside another process in an order of calls that otherwise only bad luck brings about.

`ahead` and `behind`: before each write that can collide, the two wait for each other, so that both have read the same
state of the server; then one writes a moment after the other. `overtaking` waits until the other process stalls in the
middle of its work, and publishes everything; the name of a method of MLflow's client: there this process stalls, the
first time it calls it, until the other is done. What is called, and what the server answers, stays as it is.
Run in a repository: python interleaving.py FOLDER ME OTHER HOW, where FOLDER is shared.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

from mnist_pipeline import params, tracking

# Only now: `tracking` sets MLflow's switches, which MLflow reads when it is imported.
from mlflow.tracking import MlflowClient  # isort: skip

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
BEHIND = 0.2
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

    def meet_and_fall_behind(self, occasion: str) -> None:
        self.meet(occasion)
        time.sleep(BEHIND)

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
    elif how in ("ahead", "behind"):
        for name in COLLIDING:
            before(name, meeting.meet if how == "ahead" else meeting.meet_and_fall_behind)
    else:
        before(how, meeting.stall)


def main(folder: str, me: str, other: str, how: str) -> None:
    meeting = Meeting(Path(folder), me, other)
    try:
        arrange(meeting, how)
        tracking.publish(list(params.load().models))
    finally:
        meeting.mark("end")


if __name__ == "__main__":
    main(*sys.argv[1:])

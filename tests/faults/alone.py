"""Work in a process of its own, and how much memory it takes there."""

import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def alone(work: Callable[..., Result], *arguments: object) -> Result:
    """What a function of a module returns, called in a fresh process; what it raises is raised here."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(work, *arguments).result()


class Memory:
    """How much of its own this process has had since; libraries that it maps, torch's above all, are not counted."""

    def __init__(self) -> None:
        self.before, self.own = _read("VmRSS"), _read("RssAnon")

    def peak(self) -> int:
        """In bytes, at most: what it had, and by how much the most that it ever had is more."""
        return self.own + _read("VmHWM") - self.before


def _read(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) * 1024

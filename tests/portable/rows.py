"""Rows of a table: what is compared of each machine, in folders of their own, and what breaks the promise."""

import hashlib
import json
import os
import tempfile
from collections import ChainMap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.portable.machines import Machine
from tests.repository import ROOT

STEPS = 3
Row = dict[str, Any]
Part = Callable[[Machine, Path], Row]


def write_params(folder: Path, content: Any, machine: Machine) -> None:
    """A params.yaml with this content, but for what the machine has of `runtime`."""
    YAML().dump(content | {"runtime": content["runtime"] | machine.runtime}, folder / "params.yaml")


def run_stage(machine: Machine, folder: Path, stage: str, *arguments: str) -> None:
    """Raises CalledProcessError when the stage fails."""
    machine.run([str(ROOT / "stages" / f"{stage}.py"), *arguments], folder)


def use_real_mnist(folder: Path) -> None:
    """Give the folder the `data/idx` that is in the working directory."""
    (folder / "data").symlink_to(Path("data").resolve())


def first_steps(machine: Machine, folder: Path, content: Any, models: list[str]) -> Row:
    """What `subject` prints: this processor, and digests of each recipe's weights after some steps and of operators."""
    write_params(folder, content, machine)
    use_real_mnist(folder)
    return dict(json.loads(machine.run(["-m", "tests.portable.subject", str(STEPS), *models], folder)))


def rows_of(machines: list[Machine], *parts: Part) -> list[Row]:
    """What all parts find of each machine; the parts that come first and the machines that come last take longest."""

    def emptied(part: Part, machine: Machine) -> Row:
        with tempfile.TemporaryDirectory() as name:
            return part(machine, Path(name))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        begun = [[pool.submit(emptied, part, one) for one in machines[::-1]][::-1] for part in parts]
        columns = [[future.result() for future in futures] for futures in begun]
    return [{"machine": one} | dict(ChainMap(*found)) for one, *found in zip(machines, *columns, strict=True)]


def faults(rows: list[Row], expected: Row) -> list[str]:
    """What breaks the promise: a row with another digest, or a row in native arithmetic that has all the same."""
    said = []
    for found in rows:
        machine = found["machine"]
        without = {"files"} if machine.native else set()  # which name the arithmetic, so they differ anyway
        parts = [part for part in expected if part in found.keys() - without]
        others = [name for part in parts for name, is_ in found[part].items() if expected[part].get(name) != is_]
        if others and not machine.native:
            said.append(f"{found['processor']}, {machine.how}: other bits: {', '.join(others)}")
        if not others and machine.native:
            said.append(f"{machine.how}: the same bits, so this run proves nothing")
    return said


def digest(content: dict[str, str]) -> str:
    """One digest of many, and of how many."""
    return f"{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]} ({len(content)})"

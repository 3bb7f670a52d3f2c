"""recorded.json: how long each stage took, and on which machine. Git keeps it beside dvc.lock; DVC does not hash it."""

from typing import Any

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.commits import revision
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import write_json


def recorded(there: Revision, key: str) -> dict[str, Any]:
    """`machine` or `core_seconds` of a revision; empty where none is recorded. Raises PipelineError when damaged."""
    return there.json(paths.RECORDED, key).get(key, {}) if there.has(paths.RECORDED) else {}


def seconds(there: Revision | None = None) -> dict[str, float]:
    """Core-seconds of each stage as last recorded: what the longest-first order goes by. Empty without a record."""
    found = recorded(there or revision.at(None), "core_seconds")
    return {stage: figure for stage, figure in found.items() if isinstance(figure, int | float)}


def differences(recorded: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Where this machine is not the recorded one: what, how it was recorded, and how it is here."""
    found = machine.describe()
    names = [name for name in recorded | found if recorded.get(name) != found.get(name)]
    return {name: (recorded.get(name, "not recorded"), found.get(name, "not here")) for name in names}


def write(ran: dict[str, float]) -> None:
    """Note this machine and the stages that ran on it; those that did not keep their figure if it came from here."""
    kept = {} if differences(recorded(revision.at(None), "machine")) else seconds()
    write_json(paths.RECORDED, {"machine": machine.describe(), "core_seconds": dict(sorted((kept | ran).items()))})

"""recorded.json: the machine on which the committed results were made, and how long each stage took there.

Git keeps it beside dvc.lock; DVC does not hash it.
"""

from mnist_pipeline import machine, paths
from mnist_pipeline.files import read_json, write_json


def seconds() -> dict[str, float]:
    """Core-seconds of each stage as last recorded: what the longest-first order goes by. Empty without a record."""
    recorded: dict[str, float] = read_json(paths.RECORDED)["core_seconds"] if paths.RECORDED.exists() else {}
    return recorded


def is_this_machine() -> bool:
    """Whether the committed results came from a machine like this one, so that every bit has to agree."""
    return bool(paths.RECORDED.exists() and read_json(paths.RECORDED)["machine"] == machine.describe())


def write(ran: dict[str, float]) -> None:
    """Note this machine and the stages that ran on it; those that did not keep their figure if it came from here."""
    kept = seconds() if is_this_machine() else {}
    write_json(paths.RECORDED, {"machine": machine.describe(), "core_seconds": dict(sorted((kept | ran).items()))})

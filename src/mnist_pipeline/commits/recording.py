"""recorded.json: how long each stage took, and on which machine. Git keeps it beside dvc.lock; DVC does not hash it."""

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import read_json, write_json


def seconds() -> dict[str, float]:
    """Core-seconds of each stage as last recorded: what the longest-first order goes by. Empty without a record."""
    recorded: dict[str, float] = read_json(paths.RECORDED)["core_seconds"] if paths.RECORDED.exists() else {}
    return recorded


def differences(recorded: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Where this machine is not the recorded one: what, how it was recorded, and how it is here."""
    found = machine.describe()
    names = [name for name in recorded | found if recorded.get(name) != found.get(name)]
    return {name: (recorded.get(name, "not recorded"), found.get(name, "not here")) for name in names}


def write(ran: dict[str, float]) -> None:
    """Note this machine and the stages that ran on it; those that did not keep their figure if it came from here."""
    here = paths.RECORDED.exists() and not differences(read_json(paths.RECORDED)["machine"])
    kept = seconds() if here else {}
    write_json(paths.RECORDED, {"machine": machine.describe(), "core_seconds": dict(sorted((kept | ran).items()))})

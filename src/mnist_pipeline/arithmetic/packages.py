"""Versions of the packages that decide bits: inputs of the stages, as versions.json lists them for DVC.

`make lock` writes that file from requirements.lock; a stage refuses to run with other versions than it lists.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json

DECIDING = ("matplotlib", "numpy", "pandas", "pillow", "safetensors", "torch")
LOCK = Path("requirements.lock")
FILE = Path(__file__).resolve().parents[3] / "versions.json"  # beside the source that runs


def locked(lock: str) -> dict[str, str]:
    """The version of each deciding package in a requirements.lock. Raises PipelineError unless each has just one."""
    found = {name: re.findall(rf"^{name}==([^ ;\\]+)", lock, flags=re.MULTILINE) for name in DECIDING}
    several = [f"{name}: {', '.join(versions) or 'none'}" for name, versions in found.items() if len(versions) != 1]
    if several:
        raise PipelineError(f"{LOCK}: expected one version of each package that decides bits; {'; '.join(several)}")
    return {name: versions[0] for name, versions in found.items()}


def check(free: Iterable[str] = ()) -> None:
    """Raises PipelineError when a package, but for the `free` ones, has another version than results depend on.

    Any build of a version will do, such as torch's for the processor alone: in portable arithmetic the canary proves
    its bits, and native ones are the machine's own, of which the build is a part.
    """
    listed = read_json(FILE)
    found = installed()
    wrong = [
        f"{name}: expected {expected}, found {found.get(name)}"
        for name, expected in listed.items()
        if found.get(name) != expected and name not in free
    ]
    if wrong:
        raise PipelineError(f"{FILE}: {'; '.join(wrong)}; install what it lists with `make setup`")


def installed() -> dict[str, str]:
    """The version of each deciding package here, without the build's own part (`+cpu`); "none" where it is missing."""
    return {name: build.partition("+")[0] for name, build in builds().items()}


def builds() -> dict[str, str]:
    """The version of each deciding package here with the build's own part; "none" where it is missing."""
    found = dict.fromkeys(DECIDING, "none")
    for name in DECIDING:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


if __name__ == "__main__":
    write_json(FILE, locked(LOCK.read_text(encoding="utf-8")))

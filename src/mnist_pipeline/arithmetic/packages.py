"""Versions of packages that decide bits, inputs of the stages: in versions.json, which `make lock` writes."""

import re
from collections.abc import Iterable
from importlib.metadata import distributions
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
    """Raises PipelineError when a package, but for the `free` ones, has not the listed version, whatever its build."""
    found = installed()
    asked = [(name, expected) for name, expected in read_json(FILE).items() if name not in free]
    wrong = [f"{name}: expected {one}, found {found.get(name)}" for name, one in asked if found.get(name) != one]
    if wrong:
        raise PipelineError(f"{FILE}: {'; '.join(wrong)}; install what it lists with `make setup`")


def installed() -> dict[str, str]:
    """The version of each deciding package here, without the build's own part (`+cpu`); "none" where it is missing."""
    return {name: build.partition("+")[0] for name, build in builds().items()}


def builds() -> dict[str, str]:
    """The version of each deciding package here with the build's own part; "none" where it is missing."""
    return {name: next((found.version for found in distributions(name=name)), "none") for name in DECIDING}


if __name__ == "__main__":
    write_json(FILE, locked(LOCK.read_text(encoding="utf-8")))

"""Python, packages, programs, device and processor."""

import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_pipeline.core import paths
from mnist_pipeline.core.processors import cores
from mnist_pipeline.doctor.finding import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from mnist_pipeline.core.params import Runtime

SUPPORTED = (3, 11), (3, 14)  # the oldest and the newest
LOCK = Path("requirements.lock")
POSTGRESQL = Path("/usr/lib/postgresql")
SHOWN = 5


def python() -> Finding:
    found = platform.python_version()
    if SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        return Finding("python", "ok", found)
    return Finding("python", "mend", f"expected 3.11 to 3.14, found {found}", "make setup PYTHON=/path/to/python3.13")


def packages() -> Finding:
    """Each package of requirements.lock that is for this platform against the one installed."""
    from importlib.metadata import distributions

    from packaging.utils import canonicalize_name

    there: dict[str, str] = {}
    for one in distributions():
        there.setdefault(canonicalize_name(one.name), one.version)  # the first is the one that is imported
    wanted = list(_locked())
    others = [
        f"{one.name} {there.get(canonicalize_name(one.name), 'missing')} (expected {one.specifier})"
        for one in wanted
        if not one.specifier.contains(there.get(canonicalize_name(one.name), "0"), prereleases=True)
    ]
    if not others:
        return Finding("packages", "ok", f"{len(wanted)} as in {LOCK}")
    shown = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
    return Finding(
        "packages",
        "mend",
        f"{len(others)} of {len(wanted)} not as in {LOCK}: {shown}",
        "touch requirements.lock && make setup",
    )


def _locked() -> "Iterator[Requirement]":
    from packaging.requirements import Requirement

    for line in (paths.project() / LOCK).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip(" \\"))
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement


def programs() -> Finding:
    """The stages are started as `python3 …`, so that has to be this very Python."""
    here = Path(sys.executable).parent
    found = {name: shutil.which(name) for name in ("python3", "dvc")}
    others = [
        f"{name} is {place or 'not there'}" for name, place in found.items() if not place or Path(place).parent != here
    ]
    if not others:
        return Finding("programs", "ok", f"python3 and dvc of {here}")
    return Finding("programs", "mend", f"on the PATH, {', '.join(others)}", f'export PATH="{here}:$PATH"')


def device(runtime: "Runtime") -> Finding:
    """torch takes seconds to import; the processor is there without asking it."""
    if runtime.device != "cpu":
        from mnist_pipeline.arithmetic.runtime import configure

        configure(runtime)
    return Finding("device", "ok", f"runtime.device {runtime.device} is there")


def threads(runtime: "Runtime") -> Finding:
    """Threads that have to share a core wait for each other, which costs far more than one thread less."""
    found = f"runtime.threads {runtime.threads}, cores {cores()}"
    if runtime.threads <= cores():
        return Finding("threads", "ok", f"{found}, stages at once {runtime.default_jobs()}")
    return Finding("threads", "note", f"{found}: slow", "fewer runtime.threads in params.yaml; the bits will differ")


def arithmetic(runtime: "Runtime") -> Finding:
    """Whether this machine computes the bits of every other one."""
    from mnist_pipeline.arithmetic.portable import expected, obstacle

    if expected(runtime) == "portable":
        return Finding("arithmetic", "ok", "portable: every bit of a result has to agree with the committed one")
    why = obstacle(runtime) if runtime.arithmetic == "portable" else "runtime.arithmetic says so"
    advice = "none: accuracies agree within the README's tolerance, bits need not"
    return Finding("arithmetic", "note", f"native, since {why}", advice)


def chromium() -> Finding:
    found = shutil.which("chromium")
    if found:
        return Finding("chromium", "ok", found)
    return Finding("chromium", "note", "not there", "only make test-browser needs it, and installs it on Debian")


def postgresql() -> Finding:
    found = sorted(POSTGRESQL.glob("*/bin/initdb"))
    if found:
        return Finding("postgresql", "ok", str(found[-1].parent))
    return Finding("postgresql", "note", "not there", "only make test-server needs it, and installs it on Debian")

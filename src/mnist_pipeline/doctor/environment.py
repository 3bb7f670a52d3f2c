"""Python, packages, programs, disk, device and processor."""

import platform
import shutil
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.processors import cores
from mnist_pipeline.doctor.finding import FindingError

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Runtime

SUPPORTED = (3, 11), (3, 14)  # the oldest and the newest
HERE = Path(sys.executable).parent
LOCK = Path("requirements.lock")
SHOWN = 5
RUN_GIB, SETUP_GIB = 1, 8  # for data, models and their copies in DVC's cache; for .venv too


def python() -> str:
    found = platform.python_version()
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        raise PipelineError(f"expected 3.11 to 3.14, found {found}")
    return found


def programs() -> str:
    """The stages are started as `python3 …`, so that has to be this very Python."""
    found = {name: shutil.which(name) or "not there" for name in ("python3", "dvc")}
    places = {name: Path(place).parent.resolve() for name, place in found.items()}  # .venv may be a link
    others = [f"{name} is {place}" for name, place in found.items() if places[name] != HERE.resolve()]
    if others:
        raise PipelineError(f"on the PATH, {', '.join(others)}")
    return f"python3 and dvc of {HERE}"


def disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found = f"{free:.1f} GiB free"
    if free < RUN_GIB:
        raise PipelineError(found)
    if free < SETUP_GIB:
        raise FindingError(found, f"make setup in another clone needs {SETUP_GIB} GiB", "note")
    return found


def packages() -> str:
    """Each package of requirements.lock that is for this platform against the one installed."""
    from packaging.requirements import Requirement

    lines = (paths.project() / LOCK).read_text(encoding="utf-8").splitlines()
    locked = [Requirement(line.rstrip(" \\")) for line in lines if line and not line.startswith((" ", "#"))]
    wanted = [one for one in locked if one.marker is None or one.marker.evaluate()]
    there: dict[str, str] = {}
    for one in wanted:
        with suppress(PackageNotFoundError):
            there[one.name] = version(one.name)
    others = [
        f"{one.name} {there.get(one.name, 'missing')} (expected {one.specifier})"
        for one in wanted
        if not one.specifier.contains(there.get(one.name, "0"), prereleases=True)
    ]
    if others:
        shown = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
        raise PipelineError(f"{len(others)} of {len(wanted)} not as in {LOCK}: {shown}")
    return f"{len(wanted)} as in {LOCK}"


def device() -> str:
    """torch takes seconds to import; the processor is there without asking it."""
    runtime = _runtime()
    if runtime.device != "cpu":
        from mnist_pipeline.arithmetic.runtime import configure

        configure(runtime)
    return f"runtime.device {runtime.device} is there"


def arithmetic() -> str:
    """Whether this machine computes the bits of every other one."""
    from mnist_pipeline.arithmetic.portable import expected, obstacle

    runtime = _runtime()
    if expected(runtime) == "native":
        why = obstacle(runtime) if runtime.arithmetic == "portable" else "runtime.arithmetic says so"
        advice = "none: accuracies agree within the README's tolerance, bits need not"
        raise FindingError(f"native, since {why}", advice, "note")
    return f"{runtime.arithmetic}: every bit of a result has to agree with the committed one"


def threads() -> str:
    """Threads that have to share a core wait for each other, which costs far more than one thread less."""
    runtime = _runtime()
    found = f"runtime.threads {runtime.threads}, cores {cores()}"
    if runtime.threads > cores():
        raise FindingError(f"{found}: slow", "fewer runtime.threads in params.yaml; the bits will differ", "note")
    return f"{found}, stages at once {runtime.default_jobs()}"


def _runtime() -> "Runtime":
    from mnist_pipeline.core import params

    return params.load().runtime

"""What is looked at here: the environment and the repository. What a check returns, `examination.Check` says."""

import platform
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.processors import cores
from mnist_pipeline.pipeline import dvc_program

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Data

HERE = Path(sys.executable).parent
LOCK = Path("requirements.lock")
SHOWN = 5
RUN_GIB, SETUP_GIB = 1, 8  # for data, models and their copies in DVC's cache; for .venv too


def python() -> str:
    found = platform.python_version()
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        raise PipelineError(f"expected 3.11 to 3.14, found {found}")
    return found


def programs() -> str:
    """The stages are started as `python3 …`, so that has to be this very Python; .venv may be a link."""
    found = {name: shutil.which(name) or "not there" for name in ("python3", "dvc")}
    others = [f"{name} is {place}" for name, place in found.items() if Path(place).parent.resolve() != HERE.resolve()]
    if others:
        raise PipelineError(f"on the PATH, {', '.join(others)}")
    return f"python3 and dvc of {HERE}"


def disk() -> str | tuple[str, str, str]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found = f"{free:.1f} GiB free"
    if free < RUN_GIB:
        raise PipelineError(found)
    return ("note", found, f"make setup in another clone needs {SETUP_GIB} GiB") if free < SETUP_GIB else found


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
    from mnist_pipeline.core import params

    runtime = params.load().runtime
    if runtime.device != "cpu":
        from mnist_pipeline.arithmetic.runtime import configure

        configure(runtime)
    return f"runtime.device {runtime.device} is there"


def arithmetic() -> str | tuple[str, str, str]:
    """Whether this machine computes the bits of every other one."""
    from mnist_pipeline.arithmetic.portable import expected, obstacle
    from mnist_pipeline.core import params

    runtime = params.load().runtime
    if expected(runtime) == "native":
        why = obstacle(runtime) if runtime.arithmetic == "portable" else "runtime.arithmetic says so"
        return "note", f"native, since {why}", "none: accuracies agree within the README's tolerance, bits need not"
    return f"{runtime.arithmetic}: every bit of a result has to agree with the committed one"


def threads() -> str | tuple[str, str, str]:
    """Threads that have to share a core wait for each other, which costs far more than one thread less."""
    from mnist_pipeline.core import params

    runtime = params.load().runtime
    found = f"runtime.threads {runtime.threads}, cores {cores()}"
    if runtime.threads > cores():
        return "note", f"{found}: slow", "fewer runtime.threads in params.yaml; the bits will differ"
    return f"{found}, stages at once {runtime.default_jobs()}"


def folder() -> str:
    if not (Path("dvc.yaml").exists() and paths.PARAMS.exists()):
        raise PipelineError(f"{Path.cwd()}: expected dvc.yaml and {paths.PARAMS}")
    return str(Path.cwd())


def rights() -> str:
    try:
        tempfile.TemporaryFile(dir=Path.cwd()).close()
    except OSError as error:
        raise PipelineError(f"{Path.cwd()}: can't be written to: {error.strerror}") from None
    return "the folder can be written to"


def cache() -> str | tuple[str, str, str]:
    """DVC's cache, wherever `dvc config cache.dir` has it."""
    place = Path(dvc_program.run("cache", "dir"))
    if not place.exists():
        return "note", f"{place}: nothing there yet", "make repro fills it"
    tempfile.TemporaryFile(dir=place).close()
    return str(place)


def params() -> str:
    from mnist_pipeline.core import params

    models = params.load().models
    return f"{len(models)} models: {', '.join(models)}"


def data() -> str | tuple[str, str, str]:
    """The decompressed files against dvc.lock: those that `verify` held against their digests."""
    from mnist_pipeline.commits import lockfile

    if not all(path.exists() for path in paths.IDX_FILES):
        return "note", f"not all of {paths.IDX}/ is there", "make repro downloads it"
    if lockfile.md5(paths.IDX) != lockfile.load().outputs("verify")[paths.IDX.as_posix()]:
        raise PipelineError(f"{paths.IDX}/ is not what dvc.lock describes")
    return f"{paths.IDX}/ as in dvc.lock"


def source(data: "Data", place: str) -> str:
    """Fetch files as `download` does: all of a folder, and of a server the smallest."""
    from mnist_pipeline.data import sources

    files = [data.files.test_labels] if place.startswith(sources.WEB) else [file for _, file in data.files]
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            sources.fetch(data, place, file, Path(folder))
    return "serves the files"


def store(name: str) -> str | tuple[str, str, str]:
    """MLflow's store: whether a database in a file can be written to, and what the registry holds."""
    from mnist_pipeline.registry import connection, relocation, store, versions

    shown, database = store.shown(store.address()), store.database()
    if not store.exists():
        return "note", f"{shown}: nothing is published yet", "make repro, or mnist publish"
    if database is not None:
        try:
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=1)) as link:
                link.execute("BEGIN IMMEDIATE")  # is refused when nobody can write; nothing is written
        except sqlite3.Error as error:
            return "mend", f"{shown}: {error}", "end who uses it, or mend its file and rights"
    with connection.existing():
        count = len(versions.all_of(name))
    if database is not None and (moved := relocation.relocate(apply=False)):
        return "mend", f"was moved: {moved[0]}", "mnist relocate --apply"
    relocation.check(name)
    return f"{shown}: versions of {name}: {count}"

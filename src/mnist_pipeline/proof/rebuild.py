"""Rebuild a commit in a clean clone in a temporary folder, with a DVC cache and an MLflow store of its own: every stage
executed, from its own `src` in the Python environment that is active now; nothing restored, nothing left behind."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mnist_pipeline.commits import git, lockfile, provenance
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_durably, write_json
from mnist_pipeline.pipeline.commands import interruptible
from mnist_pipeline.proof import evidence

MNIST = (sys.executable, "-c", "from mnist_pipeline.cli import main; main()")
ALIEN = ("DVC_", "GIT_", "MLFLOW_", "PYTHONPATH")  # what leads to another repository, store or source
SECONDS_TO_END = 30.0


@contextmanager
def rebuilt(revision: Revision, only: Sequence[str] = ()) -> Iterator[Path]:
    """The folder of a clone that answers to the working directory, after `mnist repro` ran there from nothing, `only`
    these stages and what they need if any are named; gone afterwards, also after Ctrl-C, SIGTERM and SIGHUP. Raises
    PipelineError when a stage failed, or did not run."""
    promised = evidence.stages(revision, only)
    with interruptible(), tempfile.TemporaryDirectory(prefix="mnist-rebuild-") as name:
        temporary = Path(name).resolve()
        folder = clone(str(revision.commit), temporary / "clone")
        project = folder / os.path.relpath(paths.project())
        (temporary / "tmp").mkdir()
        write_durably(project / ".dvc/config.local", f'[cache]\n    dir = "{temporary / "cache"}"\n'.encode())
        (folder / lockfile.LOCK).unlink()  # so that every stage runs
        seconds = provenance.seconds(revision)
        write_json(folder / paths.RECORDED, {"machine": {}, "core_seconds": seconds})  # of no machine, so none are kept
        if _run([*MNIST, "repro", "--record", *only], folder, _environment(temporary, project / "src")):
            raise PipelineError(f"{revision}: its rebuild failed; what the stage printed is above")
        check_executed(folder, promised)
        yield folder


def clone(commit: str, target: Path) -> Path:
    """Check out one commit, also one that no branch leads to or of a shallow clone; the folder that answers to ours."""
    top = git.ask("rev-parse", "--show-toplevel")
    target.mkdir()
    git.ask("init", "--quiet", folder=target)
    git.ask("fetch", "--quiet", "--depth", "1", top, commit, folder=target)
    git.ask("checkout", "--quiet", "--detach", "FETCH_HEAD", folder=target)
    return target / git.ask("rev-parse", "--show-prefix")


def _environment(temporary: Path, source: Path) -> dict[str, str]:
    """Ours, without what leads out of the clone, and with this Python as `python3`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ALIEN)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    own = {"PATH": path, "PYTHONPATH": str(source), "MLFLOW_DISABLE_TELEMETRY": "true"}
    return kept | own | {"DVC_SITE_CACHE_DIR": str(temporary / "site"), "TMPDIR": str(temporary / "tmp")}


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> int:
    """Run to the end and return the exit code; when we are interrupted, nothing of it runs on."""
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)  # Ctrl-C comes from here
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def check_executed(folder: Path, promised: list[str]) -> None:
    """Raises PipelineError unless all promised stages ran in a clone, and all that its dvc.lock has."""
    ran = read_json(folder / paths.RECORDED).get("core_seconds", {})
    stages = dict.fromkeys([*promised, *lockfile.load(folder / lockfile.LOCK).stages])
    if missing := [stage for stage in stages if stage not in ran]:
        raise PipelineError(f"{', '.join(missing)}: expected to run in the clone, but did not; so nothing is proved")

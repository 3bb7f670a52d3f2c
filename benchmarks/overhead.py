"""What the pipeline costs on top of the trainings: `mnist repro`, which `make repro` calls, and plain `dvc repro`."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import report
from mnist_pipeline.commits import git
from mnist_pipeline.core import params, paths, tables
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json

OVERHEAD, FASTER = 1.25, 1.3
RESULTS = ("dvc.lock", "metrics", "results")
TEXT = """Two clones without dvc.lock, metrics and results, so that every stage runs: one built by `mnist repro`,
which is what `make repro` runs once the packages are installed, the other by plain `dvc repro`. The trainings' own
seconds are what each measured inside the first, from the first batch to the last, validation included."""


def run() -> str:
    if git.ask("status", "--porcelain", "--", "src", "stages", "params.yaml", "dvc.yaml"):
        raise PipelineError("the clones are of the last commit: commit the changes of src, stages, params.yaml first")
    jobs = params.load().runtime.default_jobs()
    with tempfile.TemporaryDirectory() as folder:
        together, trainings = _build(Path(folder) / "mnist", "mnist")
        one_by_one, _ = _build(Path(folder) / "dvc", "dvc")
    row = {
        "mnist repro, s": f"{together:.0f}",
        "the trainings' own, s": f"{trainings:.0f}",
        "stages at once": jobs,
        "dvc repro, s": f"{one_by_one:.0f}",
    }
    verdicts = [
        report.verdict(f"mnist repro / (trainings / {jobs})", together / (trainings / jobs), at_most=OVERHEAD),
        report.verdict("dvc repro / mnist repro", one_by_one / together, at_least=FASTER),
    ]
    return "\n\n".join([TEXT, tables.markdown([row]), "\n".join(verdicts)])


def _build(place: Path, program: str) -> tuple[float, float]:
    """Seconds of the whole pipeline, and those that its trainings measured of themselves."""
    clone(place)
    began = time.perf_counter()
    subprocess.run([program, "repro"], cwd=place, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, training_seconds(place)


def clone(place: Path, commit: str = "HEAD") -> Path:
    """A clone of a commit here, by default the last one, in which nothing is built."""
    subprocess.run(["git", "clone", "--quiet", str(Path.cwd()), str(place)], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=place, check=True)
    for result in (place / name for name in RESULTS):
        shutil.rmtree(result) if result.is_dir() else result.unlink()
    return place


def environment() -> dict[str, str]:
    """This process's, without what would lead a build elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DVC_", "MAKE"))}


def training_seconds(place: Path) -> float:
    """What the trainings there measured of themselves."""
    return float(sum(read_json(file)["training_seconds"] for file in (place / paths.TIMINGS).glob("*.json")))

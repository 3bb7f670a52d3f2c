"""What a Ray cluster costs and gains: two nodes of one core each on this machine against `mnist repro --jobs 2`."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import report
from mnist_pipeline.commits import git
from mnist_pipeline.core import tables
from mnist_pipeline.core.errors import PipelineError

AT_MOST, SEEDS = 1.15, 10
RESULTS = ("dvc.lock", "metrics", "results")
TEXT = f"""Clones without dvc.lock, metrics and results, so that every stage runs: `mnist repro --jobs 2` on one
machine, then `mnist repro --cluster` on two nodes of one core each, which `mnist worker` started on 127.0.0.1. The
start of Ray is not counted; joining it and the examination of the nodes are. Then `mnist sweep --seeds {SEEDS} --models
mlp_128_64` over two such nodes and over one, from nothing."""
Row = dict[str, str | int]


def run() -> str:
    if git.ask("status", "--porcelain", "--", "src", "stages", "params.yaml", "dvc.yaml"):
        raise PipelineError("the clones are of the last commit: commit the changes of src, stages, params.yaml first")
    with tempfile.TemporaryDirectory() as folder:
        one, lock = _repro(Path(folder) / "one", "--jobs", "2")
        with _nodes(2):
            two, other = _repro(Path(folder) / "two", "--cluster", "auto")
            swept = [_sweep(Path(folder) / "sweep-2")]
        with _nodes(1):
            swept.append(_sweep(Path(folder) / "sweep-1"))
    rows: list[Row] = [
        {"what": "the whole pipeline", "one machine or node, s": f"{one:.0f}", "two nodes, s": f"{two:.0f}"},
        {"what": f"{SEEDS} seeds", "one machine or node, s": f"{swept[1]:.0f}", "two nodes, s": f"{swept[0]:.0f}"},
    ]
    verdicts = [
        report.verdict("two nodes / one machine", two / one, at_most=AT_MOST),
        report.verdict("dvc.lock files that differ", float(lock != other), at_most=0),
        f"- {SEEDS} seeds, one node / two nodes {swept[1] / swept[0]:.2f}",
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _repro(clone: Path, *options: str) -> tuple[float, bytes]:
    _clone(clone)
    for name in RESULTS:
        place = clone / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    return _timed(clone, "mnist", "repro", *options), (clone / "dvc.lock").read_bytes()


def _sweep(clone: Path) -> float:
    _clone(clone)
    _timed(clone, "mnist", "repro", "--cluster", "auto")
    models = ("--models", "mlp_128_64")
    return _timed(clone, "mnist", "sweep", "--seeds", str(SEEDS), *models, "--cluster", "auto")


def _clone(clone: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", str(Path.cwd()), str(clone)], check=True)


def _timed(folder: Path, *command: str) -> float:
    alien = ("MLFLOW_", "DVC_", "MAKE", "RAY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(alien)}
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


@contextmanager
def _nodes(count: int) -> Iterator[None]:
    """So many nodes of one core each, in a cluster of their own."""
    try:
        for place in (["--head"], ["127.0.0.1:6379"])[:count]:
            subprocess.run(["mnist", "worker", *place, "--cores", "1"], check=True, stdout=subprocess.DEVNULL)
        yield
    finally:
        subprocess.run([sys.executable, "-m", "ray.scripts.scripts", "stop"], check=True, stdout=subprocess.DEVNULL)

"""What a Ray cluster costs and gains: two nodes of one core each on this machine against `mnist repro --jobs 2`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks import gradients, report
from mnist_pipeline.commits import git
from mnist_pipeline.core import params, tables
from mnist_pipeline.core.errors import PipelineError

AT_MOST, SEEDS, STAGES = 1.15, 10, 20
RESULTS = ("dvc.lock", "metrics", "results")
TEXT = f"""Clones without dvc.lock, metrics and results, so that every stage runs: `mnist repro --jobs 2` on one
machine, then `mnist repro --cluster` on two nodes of one core each, which `mnist worker` started on 127.0.0.1. The
start of Ray is not counted; joining it and the examination of the nodes are. Then `mnist sweep --seeds {SEEDS} --models
mlp_128_64` over two such nodes and over one, from nothing but the data; and {STAGES} stages that only hash one input,
two at once, where joining is not counted."""
OVERHEAD = """
import json, sys, time
from pathlib import Path
from mnist_pipeline.core.params import Runtime
from mnist_pipeline.pipeline import repro
commands = None
if sys.argv[2:]:
    from mnist_pipeline.cluster.driver import Cluster
    commands = Cluster(Path(".logs"), sys.argv[2], Runtime.model_validate_json(sys.argv[1]), print)
began = time.perf_counter()
repro.repro(2, {}, lambda _: True, commands=commands)
print(f"{time.perf_counter() - began:.3f}")
"""


def run() -> str:
    if git.ask("status", "--porcelain", "--", "src", "stages", "params.yaml", "dvc.yaml"):
        raise PipelineError("the clones are of the last commit: commit the changes of src, stages, params.yaml first")
    together = gradients.compare()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, lock, _ = _repro(folder / "one", "--jobs", "2")
        hashed = [_hash(folder / f"one-{size}", size) for size in (1, 47)]
        with _nodes(2):
            two, other, travelled = _repro(folder / "two", "--cluster", "auto")
            on_nodes = [_hash(folder / f"two-{size}", size, "auto") for size in (1, 47)]
            swept = [_sweep(folder / "sweep-2")]
        with _nodes(1):
            swept.append(_sweep(folder / "sweep-1"))
    rows = [
        _row("the whole pipeline", one, two, ".0f"),
        _row(f"{SEEDS} seeds", swept[1], swept[0], ".0f"),
        _row("a stage with an input of 1 MB", hashed[0], on_nodes[0], ".2f"),
        _row("a stage with an input of 47 MB", hashed[1], on_nodes[1], ".2f"),
    ]
    verdicts = [
        report.verdict("two nodes / one machine", two / one, at_most=AT_MOST),
        report.verdict("dvc.lock files that differ", float(lock != other), at_most=0),
        f"- {SEEDS} seeds, one node / two nodes {swept[1] / swept[0]:.2f}",
        f"- for the whole pipeline {travelled} went to the cluster and back",
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts), together])


def _row(what: str, one: float, two: float, form: str) -> dict[str, str]:
    figures = {"one machine or node, s": f"{one:{form}}", "two nodes, s": f"{two:{form}}"}
    return {"what": what} | figures | {"two / one": f"{two / one:.2f}"}


def _repro(clone: Path, *options: str) -> tuple[float, bytes, str]:
    """Seconds of the whole pipeline, its dvc.lock, and what travelled."""
    _clone(clone)
    for name in RESULTS:
        place = clone / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    seconds, said = _timed(clone, "mnist", "repro", *options)
    travelled = re.search(r"([\d.]+ MB) went to the cluster", said)
    return seconds, (clone / "dvc.lock").read_bytes(), travelled[1] if travelled else "nothing"


def _sweep(clone: Path) -> float:
    _clone(clone)
    _timed(clone, "dvc", "repro", "--quiet", "verify")
    models = ("--models", "mlp_128_64")
    return _timed(clone, "mnist", "sweep", "--seeds", str(SEEDS), *models, "--cluster", "auto")[0]


def _hash(folder: Path, megabytes: int, *cluster: str) -> float:
    """Seconds a stage of a project whose stages only hash an input of that size."""
    folder.mkdir()
    (folder / "source").write_bytes(os.urandom(megabytes * 10**6))
    names = [f"s{number}" for number in range(STAGES)]
    stages = {name: {"cmd": f"md5sum source >{name}", "deps": ["source"], "outs": [name]} for name in names}
    YAML().dump({"stages": stages}, folder / "dvc.yaml")
    _timed(folder, "dvc", "init", "--quiet", "--no-scm")
    runtime = params.load().runtime.model_dump_json()
    return float(_timed(folder, sys.executable, "-c", OVERHEAD, runtime, *cluster)[1].split()[-1]) / STAGES


def _clone(clone: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", str(Path.cwd()), str(clone)], check=True)


def _timed(folder: Path, *command: str) -> tuple[float, str]:
    """Seconds of a command, and what it printed."""
    alien = ("MLFLOW_", "DVC_", "MAKE", "RAY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(alien)}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - began, done.stdout


@contextmanager
def _nodes(count: int) -> Iterator[None]:
    """So many nodes of one core each, in a cluster of their own."""
    try:
        for place in (["--head"], ["127.0.0.1:6379"])[:count]:
            subprocess.run(["mnist", "worker", *place, "--cores", "1"], check=True, stdout=subprocess.DEVNULL)
        yield
    finally:
        subprocess.run([sys.executable, "-m", "ray.scripts.scripts", "stop"], check=True, stdout=subprocess.DEVNULL)

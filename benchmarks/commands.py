"""How long a shell waits for the answers of `mnist predict` and `mnist lineage`, imports included."""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import page, report
from mnist_pipeline.core import paths, tables
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.results import leaderboard

TIMES = 3
PREDICT, LINEAGE = 1.0, 0.5
IMPORT = "from mlflow.tracking import MlflowClient"
ASK = "from mnist_pipeline.registry import store; MlflowClient(store.address()).search_model_versions()"
TEXT = f"""Wall time and core-seconds (user and system) of whole processes, medians of {TIMES}, each begun by a shell's
command. The photo has 560×420 pixels. The first answer of a model loads torch, exports the network to ONNX and keeps
that; later ones do without torch. `mnist lineage HEAD` reads MLflow's database itself where that is a file; it is held
against a program that only imports MLflow's client, and beside it is one that also asks the same store for its
versions."""


def run() -> str:
    store = Path.cwd() / paths.DATABASE
    if not store.exists():
        raise PipelineError(f"{store}: not found; run `make repro` first")
    with tempfile.TemporaryDirectory() as temporary:
        project, best = Path(temporary), paths.model(leaderboard.read_best())
        (project / ".dvc").mkdir()
        shutil.copytree(best, project / best)
        (project / "photo.png").write_bytes(page.photo())
        predict = ["mnist", "predict", "--model", best.name, "photo.png"]
        first, later = [], []
        for _ in range(TIMES):
            shutil.rmtree(project / ".onnx", ignore_errors=True)
            first.append(_seconds(predict, project))
            later.append(_seconds(predict, project))
    measured = {
        "mnist predict PHOTO, first": first,
        "mnist predict PHOTO, later": later,
        "MLflow's client, imported": [_python(IMPORT) for _ in range(TIMES)],
        "MLflow's client, asked": [_python(f"{IMPORT}; {ASK}") for _ in range(TIMES)],
        "mnist lineage HEAD": [_seconds(["mnist", "lineage", "HEAD"]) for _ in range(TIMES)],
    }
    found = {name: tuple(median(values) for values in zip(*runs, strict=True)) for name, runs in measured.items()}
    rows = [
        {"command": name, "wall, s": f"{wall:.2f}", "core-s": f"{used:.2f}"} for name, (wall, used) in found.items()
    ]
    more = found["mnist lineage HEAD"][0] - found["MLflow's client, imported"][0]
    verdicts = [
        report.verdict("mnist predict PHOTO, later, s", found["mnist predict PHOTO, later"][0], at_most=PREDICT),
        report.verdict("mnist lineage HEAD, more than MLflow's client, imported, s", more, at_most=LINEAGE),
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _python(code: str) -> tuple[float, float]:
    return _seconds([sys.executable, "-c", code])


def _seconds(command: list[str], folder: Path | None = None) -> tuple[float, float]:
    """Wall time and core-seconds of a command, its own children included."""
    used, began = _used(), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, _used() - used


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

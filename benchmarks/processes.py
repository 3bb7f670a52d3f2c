"""What the processes of a whole build compute besides training: imports, scoring, pictures, hashes, MLflow, DVC."""

import re
import resource
import subprocess
import tempfile
from pathlib import Path

from benchmarks import overhead, report
from mnist_pipeline.core import paths, tables
from mnist_pipeline.core.files import read_json

CORE_SECONDS = 55.0
KINDS = ("download", "verify", "train", "evaluate", "report", "publish")
TEXT = """A clone without dvc.lock, metrics and results, in which every recipe is cut to a fiftieth of an epoch, is
built by `mnist repro` with a new MLflow store, one stage at a time. Core-seconds as the kernel counts them for each
process; the runner is `mnist repro` with DVC in it, and the process with the libraries, whose
imports the stages, its forks, are not charged for. The trainings' own are the seconds that each measured of itself,
validation included, on one thread: on a machine that does something else meanwhile, they are too many."""


def run() -> str:
    with tempfile.TemporaryDirectory() as folder:
        clone = overhead.clone(Path(folder) / "cut")
        recipes = (clone / "params.yaml").read_text(encoding="utf-8")
        cut = re.sub(r"(?m)^(    epochs:) \S+", r"\1 0.02", recipes)
        (clone / "params.yaml").write_text(cut, encoding="utf-8")
        before = _of_children()
        environment = overhead.environment() | {"PYTHONPATH": str(clone / "src")}
        subprocess.run(
            ["mnist", "repro", "--record", "--jobs", "1"],
            cwd=clone,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        total = _of_children() - before
        stages: dict[str, float] = read_json(clone / paths.RECORDED)["core_seconds"]
        own = overhead.training_seconds(clone)
    of_kind = {kind: [one for name, one in stages.items() if name.partition("@")[0] == kind] for kind in KINDS}
    rows: list[dict[str, object]] = [
        {"process": kind, "how many": len(of), "core-seconds": f"{sum(of):.1f}"} for kind, of in of_kind.items()
    ]
    rows.append({"process": "the runner", "how many": 1, "core-seconds": f"{total - sum(stages.values()):.1f}"})
    rows.append({"process": "the trainings' own, in these", "how many": None, "core-seconds": f"{own:.1f}"})
    verdict = report.verdict("core-seconds besides the trainings' own", total - own, at_most=CORE_SECONDS)
    return "\n\n".join([TEXT, tables.markdown(rows), verdict])


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

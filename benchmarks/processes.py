"""What the processes of a whole build compute besides training: imports, scoring, pictures, hashes, MLflow, DVC."""

import re
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks import overhead, report
from mnist_pipeline.commits import git
from mnist_pipeline.core import paths, tables
from mnist_pipeline.core.files import read_json

CORE_SECONDS = 55.0  # the target, on an AMD EPYC (family 25, model 17)
BEFORE, BEFORE_THERE = "b5be928", 63.5  # a commit whose stages were processes of their own, and what it took there
KINDS = ("download", "verify", "train", "evaluate", "report", "publish")
TEXT = f"""A clone without dvc.lock, metrics and results, in which every recipe is cut to a fiftieth of an epoch, is
built by `mnist repro` with a new MLflow store, one stage at a time. Core-seconds as the kernel counts them for each
process; the runner is `mnist repro` with DVC in it, and the process with the libraries, whose
imports the stages, its forks, are not charged for. The trainings' own are the seconds that each measured of itself,
validation included, on one thread: on a machine that does something else meanwhile, they are too many.

The target was set for an AMD EPYC (family 25, model 17), where commit {BEFORE}, each of whose stages was a process
of its own, took {BEFORE_THERE}. That commit is built, too: there the first figure counts, and on any other machine the
second, of which the target is {CORE_SECONDS / BEFORE_THERE:.3f}."""


class Built(NamedTuple):
    """Core-seconds of one build: of each process, by its kind, and what the trainings measured of themselves."""

    of_kind: dict[str, list[float]]
    own: float

    @property
    def besides(self) -> float:
        return sum(map(sum, self.of_kind.values())) - self.own


def run() -> str:
    git.ask("cat-file", "-e", f"{BEFORE}^{{commit}}")  # a PipelineError now, not after the first build
    with tempfile.TemporaryDirectory() as folder:
        now, before = (_build(overhead.clone(Path(folder) / commit, commit)) for commit in ("HEAD", BEFORE))
    parts: list[tuple[str, int | None, float, float]] = [
        (kind, len(of), sum(of), sum(earlier))
        for (kind, of), earlier in zip(now.of_kind.items(), before.of_kind.values(), strict=True)
    ]
    parts += [
        ("the trainings' own, in these", None, now.own, before.own),
        ("besides", None, now.besides, before.besides),
    ]
    rows: list[dict[str, object]] = [
        {"process": kind, "how many": count, "core-seconds": f"{seconds:.1f}", BEFORE: f"{earlier:.1f}"}
        for kind, count, seconds, earlier in parts
    ]
    verdicts = [
        report.verdict("core-seconds besides the trainings' own", now.besides, at_most=CORE_SECONDS),
        report.verdict(f"part of those of {BEFORE}", now.besides / before.besides, at_most=CORE_SECONDS / BEFORE_THERE),
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _build(clone: Path) -> Built:
    recipes = (clone / "params.yaml").read_text(encoding="utf-8")
    cut = re.sub(r"(?m)^(    epochs:) \S+", r"\1 0.02", recipes)
    (clone / "params.yaml").write_text(cut, encoding="utf-8")
    began = _of_children()
    subprocess.run(
        ["mnist", "repro", "--record", "--jobs", "1"],
        cwd=clone,
        env=overhead.environment() | {"PYTHONPATH": str(clone / "src")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    total = _of_children() - began
    stages: dict[str, float] = read_json(clone / paths.RECORDED)["core_seconds"]
    of_kind = {kind: [one for name, one in stages.items() if name.partition("@")[0] == kind] for kind in KINDS}
    return Built(of_kind | {"the runner": [total - sum(stages.values())]}, overhead.training_seconds(clone))


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

"""What other instruction sets change: every model trained and evaluated with simulated ones, against the commit."""

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from safetensors.numpy import load

from benchmarks import report
from mnist_pipeline import differences, git, originals, paths, rebuilding, tables, verifying
from mnist_pipeline.checkpoints import WEIGHTS
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.originals import Originals
from mnist_pipeline.revision import Revision

SETS = {
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "SSE4": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
}
ASK = "import torch; print(torch.backends.cpu.get_cpu_capability().lower())"
TEXT = """The whole pipeline, rebuilt from nothing in a clean clone as `mnist verify-repro` does, with the environment
variables that keep torch's own kernels, oneDNN and MKL from using more than AVX2, or more than SSE4. Against the
committed results: change of test and of validation accuracy in points, test images whose predicted digit is another,
and the largest difference of a weight."""


@dataclass(frozen=True)
class Change:
    """What a rebuild changed of one model; accuracies in points."""

    test: float
    validation: float
    images: int
    weight: float
    same: bool  # every bit of every file

    def __str__(self) -> str:
        if self.same:
            return "same bits"
        return f"{self.test:+.2f}, {self.validation:+.2f}; {self.images}; {self.weight:.1g}"


def run() -> str:
    promised = originals.at(git.commit_of("HEAD"))
    committed = Revision("HEAD", promised.commit)
    models = committed.models
    changes = {name: _changes(promised, settings, models) for name, settings in SETS.items()}
    rows = [
        {"model": model}
        | {key.replace("_", " "): f"{100 * committed.metrics(model)[key]:.2f} %" for key in verifying.ACCURACIES}
        | {f"{name}: test, validation; images; weight": str(change[model]) for name, change in changes.items()}
        for model in models
    ]
    limit = 100 * verifying.TOLERANCE
    verdicts = [
        report.verdict(f"{name}, largest change of an accuracy, points", _largest(change), at_most=limit)
        for name, change in changes.items()
    ]
    return "\n\n".join([TEXT, tables.markdown(rows), "\n".join(verdicts)])


def _largest(changes: dict[str, Change]) -> float:
    return max(abs(points) for change in changes.values() for points in (change.test, change.validation))


def _changes(promised: Originals, settings: dict[str, str], models: list[str]) -> dict[str, Change]:
    check_simulation(settings)
    with rebuilding.rebuilt(promised, settings) as folder:
        evidence = verifying.compare(promised, folder)
        return {model: change(promised, evidence, folder, model) for model in models}


def check_simulation(settings: dict[str, str]) -> None:
    """Raises PipelineError when torch does not heed the settings, so that nothing would be measured."""
    environment = os.environ | settings
    said = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    if said.stdout.strip() != settings["ATEN_CPU_CAPABILITY"]:
        raise PipelineError(f"{settings}: torch works with {said.stdout.strip()!r} all the same")


def change(promised: Originals, evidence: verifying.Evidence, folder: Path, model: str) -> Change:
    """How a model in a rebuilt folder differs. Raises PipelineError when the committed weights are not in the cache."""
    points = {one.key: 100 * (one.found - one.committed) for one in evidence.accuracies if one.model == model}
    predictions = paths.test(model) / "predictions.csv"
    before = pd.read_csv(io.BytesIO(promised.read(predictions.as_posix())))
    after = pd.read_csv(folder / predictions)
    weights = paths.model(model) / WEIGHTS
    distance, _ = differences.largest(load(promised.read(weights.as_posix())), load((folder / weights).read_bytes()))
    images = int((before["predicted"] != after["predicted"]).sum())
    own = tuple(f"{path}/" for path in promised.lock.results(model))
    same = all(file.equal for file in evidence.files if f"{file.path}/".startswith(own))
    return Change(points["test_accuracy"], points["validation_accuracy"], images, distance, same)

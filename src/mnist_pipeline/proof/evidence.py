"""Hold files that were made anew against what a commit promises: hashes, or where bits may differ the accuracies."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_pipeline.commits import lockfile
from mnist_pipeline.commits.lockfile import Lock
from mnist_pipeline.commits.originals import FOLDER, NOWHERE, Originals, digest
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import read_json
from mnist_pipeline.proof import differences

TOLERANCE = 0.005  # of test and validation accuracy, as the README promises it
ACCURACIES = ("test_accuracy", "validation_accuracy")
ONLY_HASHES = f"only the hashes can be compared, not the original: {NOWHERE}"


@dataclass(frozen=True)
class File:
    """One file: the md5 that dvc.lock gives, the one that came out ('' for no such file), and what differs."""

    path: str
    expected: str
    found: str
    difference: str = ""
    fault: str = ""  # what is wrong with the commit itself, whatever the machine

    @property
    def equal(self) -> bool:
        return self.expected == self.found and not self.fault

    def __str__(self) -> str:
        said = "; ".join(part for part in (self.fault, self.difference) if part)
        return f"same       {self.path}" if self.equal else f"DIFFERENT  {self.path}: {said}"


@dataclass(frozen=True)
class Accuracy:
    """An accuracy of a model as committed and as it came out, both from 0 to 1."""

    model: str
    key: str
    committed: float
    found: float

    @property
    def within(self) -> bool:
        return abs(self.found - self.committed) <= TOLERANCE + 1e-12  # half a point itself is within

    def __str__(self) -> str:
        points = 100 * (self.found - self.committed)
        return f"{self.model}: {self.key} {self.found:.4f} instead of {self.committed:.4f} ({points:+.2f} points)"


@dataclass(frozen=True)
class Evidence:
    """All that was found: files, accuracies, and the stages that did not run or whose inputs dvc.lock has otherwise."""

    files: list[File]
    accuracies: list[Accuracy]
    stale: list[str]

    def complaints(self, alike: bool) -> list[str]:
        """What breaks the promise: where every bit has to agree any difference, else only the faults."""
        unequal = [file for file in self.files if not file.equal]
        broken = [file for file in unequal if alike or file.fault]
        beyond = [accuracy for accuracy in self.accuracies if not accuracy.within]
        blind = unequal and not alike and not self.accuracies
        nothing = ["no model's accuracy is both committed and here, so nothing tells how far the results are off"]
        return [*self.stale, *map(str, broken), *map(str, beyond), *(nothing if blind else [])]


def compare(promised: Originals, folder: Path) -> Evidence:
    """Hold the results in a folder, after a run there, against those of a commit."""
    made = lockfile.load(folder / lockfile.LOCK)
    ran = [stage for stage in made.stages if promised.is_current(stage)]
    absent = [stage for stage in promised.stages if stage not in made.stages]
    files = [file for stage in [*ran, *absent] for file in _of_stage(promised, folder, made, stage)]
    accuracies = [accuracy for model in promised.models for accuracy in _accuracies(promised, folder, model)]
    stale = [said for stage in ran for said in _stale(promised.lock, made, stage)]
    unproved = [f"{stage}: not in the {lockfile.LOCK} of these results, so it did not run" for stage in absent]
    return Evidence(files, accuracies, [*unproved, *stale])


def _of_stage(promised: Originals, folder: Path, made: Lock, stage: str) -> Iterator[File]:
    expected, found = (lock.outputs(stage) if stage in lock.stages else {} for lock in (promised.lock, made))
    for path in expected | found:
        yield from _of_output(promised, folder, path, expected.get(path, ""))


def _of_output(promised: Originals, folder: Path, path: str, expected: str) -> Iterator[File]:
    """The files of an output: of a folder each, when it is known what was in it."""
    found = lockfile.md5(folder / path)
    if FOLDER not in expected + found:
        yield _of_file(promised, folder, path, expected, found)
        return
    new = {file.relative_to(folder / path).as_posix(): lockfile.md5(file) for file in _files(folder / path)}
    old = new if expected == found else promised.listing(expected)
    if old is None:
        yield File(path, expected, found, ONLY_HASHES, "" if expected and found else "is on one side only")
        return
    for name in sorted(old | new):
        yield _of_file(promised, folder, f"{path}/{name}", old.get(name, ""), new.get(name, ""))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _of_file(promised: Originals, folder: Path, path: str, expected: str, found: str) -> File:
    if not (expected and found):
        fault = "did not come out" if expected else "came out, but dvc.lock does not have it"
        return File(path, expected, found, fault=fault)
    kept = promised.kept(path)
    other = kept is not None and digest(kept) != expected
    fault = f"Git keeps another file (md5 {digest(kept or b'')}) than dvc.lock says" if other else ""
    if expected == found and not fault:
        return File(path, expected, found)
    original = promised.cached(expected) if kept is None else kept
    said = ONLY_HASHES if original is None else differences.describe(path, original, (folder / path).read_bytes())
    return File(path, expected, found, said, fault)


def _accuracies(promised: Originals, folder: Path, model: str) -> Iterator[Accuracy]:
    path = paths.metrics(model)
    kept = promised.kept(path.as_posix())
    if kept is not None and (folder / path).exists():
        committed, found = json.loads(kept), read_json(folder / path)
        for key in ACCURACIES:
            if key in committed and key in found:
                yield Accuracy(model, key, committed[key], found[key])


def _stale(promised: Lock, made: Lock, stage: str) -> Iterator[str]:
    """Inputs of a stage that no stage makes, and that dvc.lock has otherwise than they are at the commit."""
    before, after = _inputs(promised, made, stage), _inputs(made, made, stage)
    for name in before | after:
        if before.get(name) != after.get(name):
            yield f"dvc.lock is not current: {stage}: {name}: {before.get(name)}, at the commit {after.get(name)}"


def _inputs(lock: Lock, made: Lock, stage: str) -> dict[str, Any]:
    entry = lock.stages.get(stage, {})
    outputs = [path for other in made.stages for path in made.outputs(other)]
    files = {dep["path"]: dep["md5"] for dep in entry.get("deps", []) if not _overlaps(dep["path"], outputs)}
    return {"cmd": entry.get("cmd")} | files | dict(differences.leaves(entry.get("params", {})))


def _overlaps(path: str, outputs: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{output}/") or f"{output}/".startswith(f"{path}/") for output in outputs)

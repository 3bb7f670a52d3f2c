"""Hold a folder in which the pipeline ran against a commit: files against dvc.lock, machine against recorded.json."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mnist_pipeline.arithmetic import machine, portable
from mnist_pipeline.commits import graph, lockfile, provenance
from mnist_pipeline.commits.lockfile import FOLDER, Lock
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core import paths, yaml_reader
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.core.params import Runtime
from mnist_pipeline.pipeline import selection
from mnist_pipeline.proof import differences

ACCURACIES = ("test_accuracy", "validation_accuracy")
TOLERANCE = 0.005  # of them, as the README promises it
EVERY_BIT = "every bit has to agree here"
ONLY_HASHES = (
    "only the hashes can be compared, not the original: it is in neither Git nor this repository's cache; "
    "`dvc pull` brings it from a remote, `mnist repro` at that commit makes it"
)


@dataclass(frozen=True)
class File:
    """One file: its md5 as it came out ('' for no such file), how that is not the promised one (else ''), and whether
    that breaks the promise on any machine."""

    path: str
    found: str
    difference: str = ""
    faulty: bool = False

    def __str__(self) -> str:
        return f"DIFFERENT  {self.path}: {self.difference}" if self.difference else f"same       {self.path}"


@dataclass(frozen=True)
class Reproduction:
    """All that was found: files; a line on each accuracy, with whether it is within the tolerance; a line on each stage
    that did not run, or whose inputs dvc.lock has otherwise; why bits may differ here (None: each has to agree)."""

    commit: str
    files: list[File]
    accuracies: dict[str, bool]
    stale: list[str]
    excuse: str | None

    def lines(self) -> Iterator[str]:
        """One line a file, those that differ last; then what this machine has to do with it."""
        yield from map(str, sorted(self.files, key=lambda file: bool(file.difference)))
        equal = sum(not file.difference for file in self.files)
        yield f"{equal} of {len(self.files)} files have the md5 that dvc.lock gives them"
        yield f"bits may differ here, since {self.excuse}" if self.excuse else EVERY_BIT
        if equal < len(self.files):
            yield from self.accuracies

    def row(self) -> str:
        """A line for the README's table of real machines: processor, system, commit, files, and one digest of them."""
        here = machine.describe()
        digest = lockfile.digest({file.path: file.found for file in self.files})[:12]
        where = f"{here['processor']} | {here['system']}, Python {here['python']}, torch {here['torch']}"
        return f"| {where} | {self.commit[:7]} | {len(self.files)} | {digest} |"

    def complaints(self) -> list[str]:
        """What breaks the promise: where every bit has to agree any difference, else only the faults."""
        unequal = [file for file in self.files if file.difference]
        broken = [str(file) for file in unequal if self.excuse is None or file.faulty]
        beyond = [line for line, within in self.accuracies.items() if not within]
        blind = unequal and self.excuse and not self.accuracies
        nothing = ["no model's accuracy is both committed and here, so nothing tells how far the results are off"]
        return [*self.stale, *broken, *beyond, *(nothing if blind else [])]

    def check(self) -> str:
        """What holds, in a sentence. Raises PipelineError with all that breaks the promise."""
        if complaints := self.complaints():
            why = "on any machine" if self.excuse else EVERY_BIT
            raise PipelineError("\n  ".join([f"not reproduced ({why}):", *complaints]))
        if not any(file.difference for file in self.files):
            return "reproduced: every bit is the committed one"
        return f"within the tolerance: no accuracy is off by more than {100 * TOLERANCE:g} points"


def stages(revision: Revision, only: Sequence[str] = ()) -> list[str]:
    """All that has to run: the stages of dvc.yaml, or those of these names and patterns.

    Raises PipelineError when dvc.lock promises nothing, or there is no such stage.
    """
    if not revision.lock.stages:
        raise PipelineError(f"{revision}: {lockfile.LOCK}: expected stages, found none: nothing is promised")
    return selection.chosen(graph.stages(revision), only)


def compare(revision: Revision, folder: Path, only: Sequence[str] = ()) -> Reproduction:
    """Hold the results in a folder, after a run there, against those of a commit: of all stages, or of these."""
    made, promised = lockfile.load(folder / lockfile.LOCK), stages(revision, only)
    ran, absent = ([stage for stage in promised if (stage in made.stages) is there] for there in (True, False))
    named = [stage.partition("@") for stage in promised]
    models = list(dict.fromkeys(model for stage, _, model in named if stage in ("train", "evaluate")))
    files: list[File] = []
    for stage in [*ran, *absent]:
        expected, found = (lock.outputs(stage) if stage in lock.stages else {} for lock in (revision.lock, made))
        for path in expected | found:
            files += _of_output(revision, folder, path, expected.get(path, ""))
    accuracies = dict(pair for model in models for pair in _accuracies(revision, folder, model))
    unproved = [f"{stage}: not in the {lockfile.LOCK} of these results, so it did not run" for stage in absent]
    stale = [said for stage in ran for said in _stale(revision.lock, made, stage)]
    return Reproduction(str(revision.commit), files, accuracies, [*unproved, *stale], _excuse(revision, folder, models))


def _of_output(revision: Revision, folder: Path, path: str, expected: str) -> Iterator[File]:
    """The files of an output: of a folder each, when it is known what was in it."""
    found = lockfile.md5(folder / path)
    if FOLDER not in expected + found:
        yield _of_file(revision, folder, path, expected, found)
        return
    inside = [file for file in (folder / path).rglob("*") if file.is_file()]
    new = {file.relative_to(folder / path).as_posix(): lockfile.md5(file) for file in inside}
    old = new if expected == found else revision.listing(expected)
    if old is None:
        yield File(path, found, ONLY_HASHES if expected and found else "is on one side only", not (expected and found))
        return
    for name in sorted(old | new):
        yield _of_file(revision, folder, f"{path}/{name}", old.get(name, ""), new.get(name, ""))


def _of_file(revision: Revision, folder: Path, path: str, expected: str, found: str) -> File:
    if not (expected and found):
        said = "did not come out" if expected else "came out, but dvc.lock does not have it"
        return File(path, found, said, faulty=True)
    kept = revision.content(Path(path))
    known = expected if kept is None else lockfile.md5_of(kept)
    if expected == found == known:
        return File(path, found)
    original = revision.cached(expected) if kept is None else kept
    said = ONLY_HASHES if original is None else differences.describe(path, original, (folder / path).read_bytes())
    if known == expected:
        return File(path, found, said)
    fault = f"Git keeps another file (md5 {known}) than dvc.lock says"
    return File(path, found, f"{fault}; {said}" if said else fault, faulty=True)


def _accuracies(revision: Revision, folder: Path, model: str) -> Iterator[tuple[str, bool]]:
    path = paths.metrics(model)
    if revision.has(path) and (folder / path).exists():
        committed, found = revision.metrics(model), read_json(folder / path)
        for key in ACCURACIES:
            if key in committed and key in found:
                off = found[key] - committed[key]
                values = f"{found[key]:.4f} instead of {committed[key]:.4f}"
                within = abs(off) <= TOLERANCE + 1e-12  # half a point itself is within
                yield f"{model}: {key} {values} ({100 * off:+.2f} points)", within


def _stale(promised: Lock, made: Lock, stage: str) -> Iterator[str]:
    """Inputs of a stage that dvc.lock has otherwise than they are at the commit."""
    before, after = ({f"{file}.{key}": value for file, key, value in lock.inputs(stage)} for lock in (promised, made))
    for name in sorted(before | after):
        if before.get(name) != after.get(name):
            key, old, new = name.removesuffix("."), before.get(name), after.get(name)
            yield f"dvc.lock is not current: {stage}: {key}: {old}, at the commit {new}"


def _excuse(revision: Revision, folder: Path, models: list[str]) -> str | None:
    """Why bits may differ here: portable ones agree wherever they can be computed, others on the recorded machine."""
    given = revision.params.get("runtime")
    try:
        runtime = Runtime.model_validate(given)
    except ValidationError as error:
        raise PipelineError(f"{revision}: {paths.PARAMS}: runtime: {yaml_reader.explain(error, given, ())}") from None
    manifests = {model: folder / paths.manifest(model) for model in models}
    trained = {model: read_json(path).get("arithmetic", "native") for model, path in manifests.items() if path.exists()}
    others = [f"{model} is {how}" for model, how in trained.items() if how not in ("portable", "exact")]
    if portable.expected(runtime) != "native" and not others:
        return None
    recorded = provenance.recorded(revision, "machine")
    other = provenance.differences(recorded)
    said = [f"{name} {here} instead of {there}" for name, (there, here) in other.items()]
    why = portable.obstacle(runtime) or ", ".join(others) or "runtime.arithmetic is native"
    found = ", ".join(said) if recorded else "none is recorded"
    return f"{why}, and the machine is not that of {paths.RECORDED}: {found}" if other else None

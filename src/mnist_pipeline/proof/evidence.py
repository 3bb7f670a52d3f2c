"""Hold a folder in which the pipeline ran against a commit: each file against dvc.lock, the machine against
recorded.json."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.commits import lockfile, recording
from mnist_pipeline.commits.lockfile import FOLDER, Lock
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core import paths, yaml_reader
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.core.params import Runtime
from mnist_pipeline.core.tables import flat
from mnist_pipeline.proof import differences
from mnist_pipeline.proof.reproduction import TOLERANCE, File, Reproduction

ACCURACIES = ("test_accuracy", "validation_accuracy")
ONLY_HASHES = (
    "only the hashes can be compared, not the original: it is in neither Git nor this repository's cache; "
    "`dvc pull` brings it from a remote, `mnist repro` at that commit makes it"
)


def stages(revision: Revision) -> list[str]:
    """All that has to run: the stages of dvc.lock, without those of former models, and both of each model.

    Raises PipelineError when dvc.lock promises nothing.
    """
    if not revision.lock.stages:
        raise PipelineError(f"{revision}: {lockfile.LOCK}: expected stages, found none: nothing is promised")
    both = [stage for model in revision.recipes for stage in lockfile.stages_of(model)]
    return list(dict.fromkeys([*_current(revision, revision.lock), *both]))


def _current(revision: Revision, lock: Lock) -> list[str]:
    """The stages of no model, or of one of params.yaml: DVC leaves former ones in dvc.lock."""
    return [stage for stage in lock.stages if stage.partition("@")[2] in ("", *revision.recipes)]


def compare(revision: Revision, folder: Path) -> Reproduction:
    """Hold the results in a folder, after a run there, against those of a commit."""
    made = lockfile.load(folder / lockfile.LOCK)
    ran, absent = _current(revision, made), [stage for stage in stages(revision) if stage not in made.stages]
    files: list[File] = []
    for stage in [*ran, *absent]:
        expected, found = (lock.outputs(stage) if stage in lock.stages else {} for lock in (revision.lock, made))
        for path in expected | found:
            files += _of_output(revision, folder, path, expected.get(path, ""))
    accuracies = dict(pair for model in revision.recipes for pair in _accuracies(revision, folder, model))
    unproved = [f"{stage}: not in the {lockfile.LOCK} of these results, so it did not run" for stage in absent]
    stale = [said for stage in ran for said in _stale(revision.lock, made, stage)]
    return Reproduction(str(revision.commit), files, accuracies, [*unproved, *stale], _excuse(revision, folder))


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
    """Inputs of a stage that no stage makes, and that dvc.lock has otherwise than they are at the commit."""
    before, after = _inputs(promised, made, stage), _inputs(made, made, stage)
    for name in before | after:
        if before.get(name) != after.get(name):
            yield f"dvc.lock is not current: {stage}: {name}: {before.get(name)}, at the commit {after.get(name)}"


def _inputs(lock: Lock, made: Lock, stage: str) -> dict[str, Any]:
    if stage not in lock.stages:
        return {}
    entry, outputs = lock.stages[stage], [out.path for other in made.stages.values() for out in other.outs]
    files = {dep.path: dep.md5 for dep in entry.deps if not _overlaps(dep.path, outputs)}
    return {"cmd": entry.cmd} | files | flat(entry.params)


def _overlaps(path: str, outputs: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{output}/") or f"{output}/".startswith(f"{path}/") for output in outputs)


def _excuse(revision: Revision, folder: Path) -> str | None:
    """Why bits may differ here: portable ones agree wherever they can be computed, others on the recorded machine."""
    given = revision.params.get("runtime")
    try:
        runtime = Runtime.model_validate(given)
    except ValidationError as error:
        raise PipelineError(f"{revision}: {paths.PARAMS}: runtime: {yaml_reader.explain(error, given, ())}") from None
    manifests = {model: folder / paths.manifest(model) for model in revision.models}
    trained = {model: read_json(path).get("arithmetic", "native") for model, path in manifests.items() if path.exists()}
    others = [f"{model} is {how}" for model, how in trained.items() if how not in ("portable", "exact")]
    if portable.expected(runtime) != "native" and not others:
        return None
    recorded = recording.recorded(revision, "machine")
    differing = [f"{name} {here} instead of {there}" for name, (there, here) in recording.differences(recorded).items()]
    why = portable.obstacle(runtime) or ", ".join(others) or "runtime.arithmetic is native"
    found = ", ".join(differing) if recorded else "none is recorded"
    return f"{why}, and the machine is not that of {paths.RECORDED}: {found}" if differing else None

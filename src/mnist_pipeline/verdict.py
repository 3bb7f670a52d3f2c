"""What the evidence means on this machine, in lines to read, and whether it is what is promised about bits."""

from collections.abc import Iterator
from dataclasses import dataclass

from mnist_pipeline import paths, recording
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.revision import Revision
from mnist_pipeline.verifying import TOLERANCE, Evidence


@dataclass(frozen=True)
class Verdict:
    """What was found, the commit that it was held against, and where this machine is not the one recorded there."""

    commit: Revision
    evidence: Evidence
    machine: dict[str, tuple[str, str]] | None  # None where the commit recorded none

    @property
    def alike(self) -> bool:
        """Whether every bit has to agree."""
        return self.machine == {}

    def lines(self) -> Iterator[str]:
        """One line a file, those that differ last; then what the machine has to do with it."""
        files = sorted(self.evidence.files, key=lambda file: not file.equal)
        yield from map(str, files)
        equal = sum(file.equal for file in files)
        yield f"{equal} of {len(files)} files have the md5 that dvc.lock gives them"
        yield from self._machine()
        if equal < len(files):
            yield from map(str, self.evidence.accuracies)

    def _machine(self) -> Iterator[str]:
        runtime = ", ".join(f"{key} {value}" for key, value in self.commit.params["runtime"].items())
        yield f"as params.yaml says on any machine: {runtime}"
        if self.machine is None:
            yield f"no machine was recorded: the commit has no {paths.RECORDED}, so the accuracies decide"
        if self.alike:
            yield f"the machine is the one of {paths.RECORDED}, in all that decides the bits"
        for name, (recorded, here) in (self.machine or {}).items():
            yield f"not as recorded: {name}: recorded {recorded}, here {here}"

    def check(self) -> str:
        """What holds, in a sentence. Raises PipelineError with all that breaks the promise."""
        complaints = self.evidence.complaints(self.alike)
        if complaints:
            why = "on a machine like the recorded one every bit has to agree" if self.alike else "on any machine"
            raise PipelineError("\n  ".join([f"not reproduced ({why}):", *complaints]))
        if all(file.equal for file in self.evidence.files):
            return "reproduced: every bit is the committed one"
        why = "no machine was recorded, and" if self.machine is None else "on this other machine"
        return f"within the tolerance: {why} no accuracy is off by more than {100 * TOLERANCE:g} points"


def of(commit: str, evidence: Evidence) -> Verdict:
    """Hold this machine against the recorded.json of the commit."""
    revision = Revision(commit, commit)
    return Verdict(revision, evidence, _differences(revision))


def _differences(revision: Revision) -> dict[str, tuple[str, str]] | None:
    if not revision.has(paths.RECORDED):
        return None
    recorded = revision.json(paths.RECORDED).get("machine")
    if not isinstance(recorded, dict):
        raise PipelineError(f"{revision}: {paths.RECORDED}: expected an object `machine`, found {recorded!r}")
    return recording.differences(recorded)

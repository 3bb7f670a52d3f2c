"""What a comparison means on this machine, in lines to read, and whether it is what is promised about bits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from mnist_pipeline import paths, recording
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.revision import Revision
from mnist_pipeline.verifying import TOLERANCE, Comparison


@dataclass(frozen=True)
class Verdict:
    """A comparison, the commit that it is with, and where this machine is not the one recorded there."""

    commit: Revision
    comparison: Comparison
    machine: dict[str, tuple[str, str]]

    def lines(self) -> Iterator[str]:
        """One line a file, those that differ last; then what the machine has to do with it."""
        findings = sorted(self.comparison.findings, key=lambda finding: not finding.equal)
        yield from map(str, findings)
        equal = sum(finding.equal for finding in findings)
        yield f"{equal} of {len(findings)} files have the md5 that dvc.lock gives them"
        yield from self._machine()
        if equal < len(findings):
            yield from map(str, self.comparison.accuracies)

    def _machine(self) -> Iterator[str]:
        runtime = ", ".join(f"{key} {value}" for key, value in self.commit.params["runtime"].items())
        yield f"as params.yaml says on any machine: {runtime}"
        if not self.machine:
            yield f"the machine is the one of {paths.RECORDED}, in all that decides the bits"
        for name, (recorded, here) in self.machine.items():
            yield f"not as recorded: {name}: recorded {recorded}, here {here}"

    def check(self) -> str:
        """What holds, in a sentence. Raises PipelineError with all that breaks the promise."""
        complaints = self.comparison.complaints(alike=not self.machine)
        if complaints:
            why = "on a machine like the recorded one every bit has to agree" if not self.machine else "on any machine"
            raise PipelineError("\n  ".join([f"not reproduced ({why}):", *complaints]))
        if all(finding.equal for finding in self.comparison.findings):
            return "reproduced: every bit is the committed one"
        return f"within the tolerance: on this other machine no accuracy is off by more than {100 * TOLERANCE:g} points"


def of(commit: str, comparison: Comparison) -> Verdict:
    """Hold this machine against the recorded.json of the commit."""
    revision = Revision(commit, commit)
    record = revision.find(paths.RECORDED)
    return Verdict(revision, comparison, recording.differences(json.loads(record)["machine"] if record else {}))

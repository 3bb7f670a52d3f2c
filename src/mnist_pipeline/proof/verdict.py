"""What the evidence means here, in lines to read, and whether it is what is promised about bits."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_pipeline.arithmetic import machine, portable
from mnist_pipeline.commits import lockfile, recording
from mnist_pipeline.commits.revision import Revision
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.core.params import Runtime
from mnist_pipeline.proof.evidence import TOLERANCE, Evidence


@dataclass(frozen=True)
class Verdict:
    """What was found, and why bits may differ here from those of the commit; None where each has to agree."""

    commit: str
    evidence: Evidence
    excuse: str | None

    def lines(self) -> Iterator[str]:
        """One line a file, those that differ last; then what this machine has to do with it."""
        files = sorted(self.evidence.files, key=lambda file: not file.equal)
        yield from map(str, files)
        equal = sum(file.equal for file in files)
        yield f"{equal} of {len(files)} files have the md5 that dvc.lock gives them"
        yield f"every bit has to agree here: {not self.excuse}{f', since {self.excuse}' if self.excuse else ''}"
        if equal < len(files):
            yield from map(str, self.evidence.accuracies)

    def row(self) -> str:
        """A line for the README's table of real machines: processor, system, commit, files, and one digest of them."""
        here = machine.describe()
        digest = lockfile.digest({file.path: file.found for file in self.evidence.files})[:12]
        where = f"{here['processor']} | {here['system']}, Python {here['python']}, torch {here['torch']}"
        return f"| {where} | {self.commit[:7]} | {len(self.evidence.files)} | {digest} |"

    def check(self) -> str:
        """What holds, in a sentence. Raises PipelineError with all that breaks the promise."""
        complaints = self.evidence.complaints(alike=self.excuse is None)
        if complaints:
            why = "on any machine" if self.excuse else "every bit has to agree here"
            raise PipelineError("\n  ".join([f"not reproduced ({why}):", *complaints]))
        if all(file.equal for file in self.evidence.files):
            return "reproduced: every bit is the committed one"
        return f"within the tolerance: no accuracy is off by more than {100 * TOLERANCE:g} points"


def of(commit: str, evidence: Evidence, folder: Path) -> Verdict:
    """Hold this machine, and the models in the folder, against what params.yaml and recorded.json of the commit say."""
    return Verdict(commit, evidence, _excuse(Revision(commit, commit), folder))


def _excuse(revision: Revision, folder: Path) -> str | None:
    """Portable bits agree wherever they can be computed, other ones on the machine that recorded them."""
    runtime = Runtime.model_validate(revision.params["runtime"])
    cards = [folder / paths.card(model) for model in revision.models]
    trained = {card.parent.name: read_json(card).get("arithmetic", "native") for card in cards if card.exists()}
    others = [f"{model} is {how}" for model, how in trained.items() if how != "portable"]
    if portable.expected(runtime) == "portable" and not others:
        return None
    recorded = revision.json(paths.RECORDED).get("machine", {}) if revision.has(paths.RECORDED) else {}
    if not isinstance(recorded, dict):
        raise PipelineError(f"{revision}: {paths.RECORDED}: expected an object `machine`, found {recorded!r}")
    differing = [f"{name} {here} instead of {there}" for name, (there, here) in recording.differences(recorded).items()]
    why = portable.obstacle(runtime) or ", ".join(others) or "runtime.arithmetic is native"
    found = ", ".join(differing) if recorded else "none is recorded"
    return f"{why}, and the machine is not that of {paths.RECORDED}: {found}" if differing else None

"""Results that were made anew beside those that a commit promises: the same bits, or where these may differ the
accuracies."""

from collections.abc import Iterator
from dataclasses import dataclass

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.commits import lockfile
from mnist_pipeline.core.errors import PipelineError

TOLERANCE = 0.005  # of test and validation accuracy, as the README promises it


@dataclass(frozen=True)
class File:
    """One file: its md5 as it came out ('' for no such file), and how that is not the promised one (else '').

    `faulty` where that breaks the promise on any machine.
    """

    path: str
    found: str
    difference: str = ""
    faulty: bool = False

    def __str__(self) -> str:
        return f"DIFFERENT  {self.path}: {self.difference}" if self.difference else f"same       {self.path}"


@dataclass(frozen=True)
class Reproduction:
    """All that was found: files; a line on each accuracy, with whether it is within the tolerance; a line on each stage
    that did not run, or whose inputs dvc.lock has otherwise.

    `excuse` says why bits may differ on this machine from those of the commit; None where each has to agree.
    """

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
        yield f"every bit has to agree here: {not self.excuse}{f', since {self.excuse}' if self.excuse else ''}"
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
        complaints = self.complaints()
        if complaints:
            why = "on any machine" if self.excuse else "every bit has to agree here"
            raise PipelineError("\n  ".join([f"not reproduced ({why}):", *complaints]))
        if not any(file.difference for file in self.files):
            return "reproduced: every bit is the committed one"
        return f"within the tolerance: no accuracy is off by more than {100 * TOLERANCE:g} points"

"""A check, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mnist_pipeline.core.errors import PipelineError

State = Literal["ok", "note", "mend"]
ANY = "mend what it says; then run `mnist doctor` again"


@dataclass(frozen=True)
class Finding:
    """`note` is worth knowing, with `mend` something can't work; `advice` is what to do then."""

    name: str
    state: State
    found: str
    advice: str = ""


class FindingError(PipelineError):
    """What was found is not in order, with an advice and a state other than those of its check."""

    def __init__(self, found: str, advice: str, state: State = "mend") -> None:
        super().__init__(found)
        self.advice, self.state = advice, state


@dataclass(frozen=True)
class Check:
    """`look` returns what it found if all is well, and raises otherwise; a PipelineError is reported with `advice`.

    Where the check named in `needs` is not ok, there is nothing to look at.
    """

    name: str
    needs: str | None
    look: Callable[[], str]
    advice: str = ANY

    def __call__(self) -> Finding:
        """The finding, whatever happens: an error is what is looked for here, so none may end the others."""
        try:
            return Finding(self.name, "ok", self.look())
        except FindingError as error:
            return Finding(self.name, error.state, str(error), error.advice)
        except PipelineError as error:
            return Finding(self.name, "mend", " ".join(str(error).split()), self.advice)
        except Exception as error:
            return Finding(self.name, "mend", " ".join(f"{type(error).__name__}: {error}".split()), ANY)

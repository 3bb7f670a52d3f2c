"""What a check says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "mend"]


@dataclass(frozen=True)
class Finding:
    """`note` is worth knowing, with `mend` something can't work; `advice` is what to do then."""

    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """Something to look at, by the name that its finding will have."""

    name: str
    look: Callable[[], Finding]

    def __call__(self) -> Finding:
        """The finding, whatever happens: an error is what is looked for here, so none may end the others."""
        try:
            return self.look()
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".removeprefix("PipelineError: ").split())
            return Finding(self.name, "mend", said, "mend what it says; then run `mnist doctor` again")

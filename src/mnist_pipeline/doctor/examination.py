"""All checks, in bounded time."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.doctor import environment, reach, repository
from mnist_pipeline.doctor.finding import Check, Finding

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Params

ASKING, OPENING = 6.0, 9.0  # seconds of patience with sources and with the store, whose library takes some to import
Looks = dict[str, Callable[[], Finding]]


def examine() -> list[Finding]:
    """Every finding. Takes at most some 15 seconds, and writes nothing but a file that is gone again."""
    folder = Check("folder", repository.folder)()
    everywhere: Looks = {"python": environment.python, "programs": environment.programs, "disk": repository.disk}
    if not repository.is_one():
        return [folder, *_each(everywhere)]
    settings = _settings()
    asked = Together(_sources(settings), ASKING)
    found = _each(everywhere | _here(settings))
    opened = Together(_store(settings), OPENING)
    return [folder, *found, *reach.weigh(asked.findings()), *opened.findings()]


def _here(settings: "Params | None") -> Looks:
    looks: Looks = {
        "packages": environment.packages,
        "git": repository.git,
        "dvc cache": repository.cache,
        "params.yaml": repository.params,
        "data": repository.data,
        "chromium": environment.chromium,
        "postgresql": environment.postgresql,
    }
    if settings is not None:
        looks["device"] = partial(environment.device, settings.runtime)
        looks["arithmetic"] = partial(environment.arithmetic, settings.runtime)
        looks["threads"] = partial(environment.threads, settings.runtime)
    return looks


def _each(looks: Looks) -> list[Finding]:
    return [Check(name, look)() for name, look in looks.items()]


class Together:
    """Checks that run side by side from now on. One that does not end is left behind, and ends with the process."""

    def __init__(self, checks: list[Check], patience: float) -> None:
        self.found: dict[str, Finding] = {}
        self.checks, self.patience, self.deadline = checks, patience, time.monotonic() + patience
        self.threads = [threading.Thread(target=self._run, args=(check,), daemon=True) for check in checks]
        for thread in self.threads:
            thread.start()

    def _run(self, check: Check) -> None:
        self.found[check.name] = check()

    def findings(self) -> list[Finding]:
        """One a check, in order: what it found, or that it did not answer in time."""
        for thread in self.threads:
            thread.join(max(0.0, self.deadline - time.monotonic()))
        silence = f"no answer within {self.patience:.0f} s"
        return [
            self.found.get(check.name)
            or Finding(check.name, "mend", silence, "in use, or out of reach: try again later")
            for check in self.checks
        ]


def _settings() -> "Params | None":
    """params.yaml if it can be read; that it can't is what another check finds."""
    try:
        from mnist_pipeline.core import params

        return params.load()
    except (ImportError, OSError, ValueError, PipelineError):
        return None


def _sources(settings: "Params | None") -> list[Check]:
    places = settings.data.sources if settings else []
    return [Check(f"source {place}", partial(reach.source, settings.data, place)) for place in places if settings]


def _store(settings: "Params | None") -> list[Check]:
    return [Check("mlflow store", partial(reach.store, settings.data.name))] if settings else []

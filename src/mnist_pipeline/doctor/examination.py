"""The table of all checks, and their run in bounded time."""

from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mnist_pipeline.core import background
from mnist_pipeline.doctor import environment, reach, repository
from mnist_pipeline.doctor.finding import Check, Finding, State

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Params

ASKING, OPENING = 6.0, 9.0  # seconds of patience with sources and with the store, whose library takes some to import
UNNEEDED = "not needed while another source works"
NO_SOURCE = "mend the network, or put the files into a folder and name that under data.sources"
Started = dict[str, Future[Finding]]
FOLDER = Check("folder", repository.folder, "chmod u+w, or clone elsewhere")
EVERYWHERE = (
    Check("python", environment.python, "make setup PYTHON=/path/to/python3.13"),
    Check("programs", environment.programs, f'export PATH="{environment.HERE}:$PATH"'),
    Check("disk", environment.disk, f"free {environment.RUN_GIB} GiB: data, models and DVC's cache need it"),
)
IN_A_PIPELINE = (
    Check("packages", environment.packages, "touch requirements.lock && make setup"),
    Check("git", repository.git, "install git, and work in a clone with at least one commit"),
    Check("dvc cache", repository.cache, "work in a clone; there, `dvc cache dir` names it"),
    Check("params.yaml", repository.params, "edit it; what needs it was not looked at"),
    Check("data", repository.data, "make repro, or dvc checkout --force data/idx"),
    Check("chromium", environment.chromium, "only make test-browser needs it, and installs it on Debian", "note"),
    Check("postgresql", environment.postgresql, "only make test-server needs it, and installs it on Debian", "note"),
)


def configured(settings: "Params") -> list[Check]:
    """What depends on params.yaml and is answered at once."""
    native = "none: accuracies agree within the README's tolerance, bits need not"
    fewer = "fewer runtime.threads in params.yaml; the bits will differ"
    return [
        Check("device", partial(environment.device, settings.runtime)),
        Check("arithmetic", partial(environment.arithmetic, settings.runtime), native, "note"),
        Check("threads", partial(environment.threads, settings.runtime), fewer, "note"),
    ]


def examine() -> list[Finding]:
    """Every finding. Takes at most some 15 seconds, and writes nothing but files that are gone again."""
    if not repository.is_one():
        return [check() for check in (FOLDER, *EVERYWHERE)]
    found = [check() for check in (FOLDER, *EVERYWHERE, *IN_A_PIPELINE)]
    if any((one.name, one.state) == ("params.yaml", "mend") for one in found):
        return found
    from mnist_pipeline.core import params

    settings = params.load()
    data = settings.data
    sources = started([Check(f"source {place}", partial(reach.source, data, place)) for place in data.sources])
    found += [check() for check in configured(settings)]
    store = started([Check("mlflow store", partial(reach.store, data.name))])
    return [*found, *weigh(awaited(sources, ASKING)), *awaited(store, OPENING)]


def started(checks: Sequence[Check]) -> Started:
    """Checks that run side by side from now on, by name."""
    return {check.name: background.start(check) for check in checks}


def awaited(checks: Started, patience: float) -> list[Finding]:
    """What each found within so many seconds, or that it did not answer; such a one ends with the process."""
    wait(checks.values(), patience)
    silent = f"no answer within {patience:.0f} s", "in use, or out of reach: try again later"
    return [one.result() if one.done() else Finding(name, "mend", *silent) for name, one in checks.items()]


def weigh(sources: Sequence[Finding]) -> list[Finding]:
    """One source that works is enough, whatever became of the others; with none, all are to be mended."""
    one_works = any(one.state == "ok" for one in sources)
    state: State = "note" if one_works else "mend"
    advice = UNNEEDED if one_works else NO_SOURCE
    return [one if one.state == "ok" else replace(one, state=state, advice=advice) for one in sources]

"""The table of all checks, and their run in bounded time."""

from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import replace
from functools import partial

from mnist_pipeline.core import background
from mnist_pipeline.doctor import environment, repository
from mnist_pipeline.doctor.finding import Check, Finding, State

PATIENCE = 15.0  # seconds for the sources and the store, whose library takes some to import
CLONE, PARAMS = "folder", "params.yaml"  # checks that others need
CHECKS = (
    Check(CLONE, None, repository.folder, "cd to the root of a clone; what needs one was not looked at"),
    Check("rights", CLONE, repository.rights, "chmod u+w, or clone elsewhere"),
    Check("python", None, environment.python, "make setup PYTHON=/path/to/python3.13"),
    Check("programs", None, environment.programs, f'export PATH="{environment.HERE}:$PATH"'),
    Check("disk", None, environment.disk, f"free {environment.RUN_GIB} GiB: data, models and DVC's cache need it"),
    Check("packages", CLONE, environment.packages, "touch requirements.lock && make setup"),
    Check("git", CLONE, repository.git, "install git, and work in a clone with at least one commit"),
    Check("dvc cache", CLONE, repository.cache, "work in a clone; there, `dvc cache dir` names it"),
    Check(PARAMS, CLONE, repository.params, "edit it; what needs it was not looked at"),
    Check("data", CLONE, repository.data, "make repro, or dvc checkout --force data/idx"),
    Check("device", PARAMS, environment.device),
    Check("arithmetic", PARAMS, environment.arithmetic),
    Check("threads", PARAMS, environment.threads),
)


def examine() -> list[Finding]:
    """Every finding. Takes at most some 15 seconds, and writes nothing but files that are gone again."""
    found: list[Finding] = []
    for check in CHECKS:
        if check.needs in (None, *_in_order(found)):
            found.append(check())
    if PARAMS not in _in_order(found):
        return found
    from mnist_pipeline.core import params

    data = params.load().data
    sources = [Check(f"source {place}", PARAMS, partial(repository.source, data, place)) for place in data.sources]
    *served, store = answers([*sources, Check("mlflow store", PARAMS, partial(repository.store, data.name))])
    return [*found, *weigh(served), store]


def _in_order(found: Sequence[Finding]) -> list[str]:
    return [one.name for one in found if one.state == "ok"]


def answers(checks: Sequence[Check], patience: float = PATIENCE) -> list[Finding]:
    """What checks side by side find in so many seconds, or that they did not answer; those end with the process."""
    running = {check.name: background.start(check) for check in checks}
    wait(running.values(), patience)
    silent = f"no answer within {patience:.0f} s", "in use, or out of reach: try again later"
    return [one.result() if one.done() else Finding(name, "mend", *silent) for name, one in running.items()]


def weigh(sources: Sequence[Finding]) -> list[Finding]:
    """One source that works is enough, whatever became of the others; with none, all are to be mended."""
    state: State = "mend"
    advice = "mend the network, or put the files into a folder and name that under data.sources"
    if _in_order(sources):
        state, advice = "note", "not needed while another source works"
    return [one if one.state == "ok" else replace(one, state=state, advice=advice) for one in sources]

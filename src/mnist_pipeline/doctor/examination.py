"""The table of all checks, what they find, and their run in bounded time."""

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import partial

from mnist_pipeline.commits.git import ask
from mnist_pipeline.core import background
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.doctor import checks

PATIENCE = 15.0  # seconds for the sources and the store, whose library takes some to import
CLONE, PARAMS = "folder", "params.yaml"  # checks that others need


@dataclass(frozen=True)
class Finding:
    """`state`: ok, note (worth knowing) or mend (something can't work); `advice` is what to do then."""

    name: str
    state: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """`look` returns what it found if all is well, or state, what it found and advice; an error is reported with ours.
    Where the check named in `needs` is not ok, there is nothing to look at."""

    name: str
    needs: str | None
    look: Callable[[], str | tuple[str, str, str]]
    advice: str = "mend what it says; then run `mnist doctor` again"

    def __call__(self) -> Finding:
        """The finding, whatever happens: an error is what is looked for here, so none may end the others."""
        try:
            found = self.look()
        except Exception as error:
            ours = isinstance(error, PipelineError)
            said = str(error) if ours else f"{type(error).__name__}: {error}"
            return Finding(self.name, "mend", " ".join(said.split()), self.advice if ours else Check.advice)
        return Finding(self.name, "ok", found) if isinstance(found, str) else Finding(self.name, *found)


CHECKS = (
    Check(CLONE, None, checks.folder, "cd to the root of a clone; what needs one was not looked at"),
    Check("rights", CLONE, checks.rights, "chmod u+w, or clone elsewhere"),
    Check("python", None, checks.python, "make setup PYTHON=/path/to/python3.13"),
    Check("programs", None, checks.programs, f'export PATH="{checks.HERE}:$PATH"'),
    Check("disk", None, checks.disk, f"free {checks.RUN_GIB} GiB: data, models and DVC's cache need it"),
    Check("packages", CLONE, checks.packages, "touch requirements.lock && make setup"),
    Check("git", CLONE, partial(ask, "log", "-1", "--format=%h %s"), "install git; work in a clone that has a commit"),
    Check("dvc cache", CLONE, checks.cache, "work in a clone; there, `dvc cache dir` names it"),
    Check(PARAMS, CLONE, checks.params, "edit it; what needs it was not looked at"),
    Check("data", CLONE, checks.data, "make repro, or dvc checkout --force data/idx"),
    Check("device", PARAMS, checks.device),
    Check("arithmetic", PARAMS, checks.arithmetic),
    Check("threads", PARAMS, checks.threads),
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
    sources = [Check(f"source {place}", PARAMS, partial(checks.source, data, place)) for place in data.sources]
    *served, store = answers([*sources, Check("mlflow store", PARAMS, partial(checks.store, data.name))])
    return [*found, *weigh(served), store]


def _in_order(found: Sequence[Finding]) -> list[str]:
    return [one.name for one in found if one.state == "ok"]


def answers(asked: Sequence[Check], patience: float = PATIENCE) -> list[Finding]:
    """What checks find side by side in so many seconds, or that they gave no answer; those end with the process."""
    running = {check.name: background.start(check) for check in asked}
    wait(running.values(), patience)
    silent = f"no answer within {patience:.0f} s", "in use, or out of reach: try again later"
    return [one.result() if one.done() else Finding(name, "mend", *silent) for name, one in running.items()]


def weigh(sources: Sequence[Finding]) -> list[Finding]:
    """One source that works is enough, whatever became of the others; with none, all are to be mended."""
    state, advice = "mend", "mend the network, or put the files into a folder and name that under data.sources"
    if _in_order(sources):
        state, advice = "note", "not needed while another source works"
    return [one if one.state == "ok" else replace(one, state=state, advice=advice) for one in sources]

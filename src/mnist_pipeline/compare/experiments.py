"""DVC's experiments and its queue, through the program `dvc`: queue one, let workers run, see how each ended."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mnist_pipeline.commits import git
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline.dvc_program import run

QUEUED, RUNNING, FAILED = "Queued", "Running", "Failed"
LOOKS = 24  # a worker on a busy machine does not answer each time that DVC asks for workers


@dataclass(frozen=True)
class Queue:
    """What `dvc queue status` says: how it stands with each experiment by name, and the number of workers."""

    status: dict[str, str]
    workers: int


def finished() -> set[str]:
    """The names of all experiments that Git keeps, of any baseline: refs/exps/<two digits>/<the others>/<name>."""
    refs = git.ask("for-each-ref", "--format=%(refname)", "refs/exps").split()
    return {found[1] for ref in refs if (found := re.fullmatch(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38,}/(.+)", ref))}


def queue() -> Queue:
    """The queue as it is now; of several experiments with one name the one that has still to end."""
    text = run("queue", "status")
    status: dict[str, str] = {}
    for name, state in re.findall(r"^[0-9a-f]{7} +(\S+) .* (\w+) *$", text, flags=re.MULTILINE):
        status.setdefault(name, state)
    workers = re.search(r"^Worker status: (\d+) active, (\d+) idle", text, flags=re.MULTILINE)
    if workers is None:
        raise PipelineError(f"dvc queue status: expected a line on workers, found: {' '.join(text.split())}")
    return Queue(status, sum(map(int, workers.groups())))


def enqueue(name: str, overrides: Iterable[str], stages: Iterable[str] = ()) -> None:
    """Queue the files as they are with these changes of params.yaml; with `stages` no other stage will run."""
    chosen = ["--single-item", *stages] if stages else []
    changes = [part for override in overrides for part in ("--set-param", override)]
    run("exp", "run", "--queue", "--name", name, *changes, *chosen)


def forget(name: str) -> None:
    """Take an experiment that ended without success from the queue."""
    run("queue", "remove", name)


def end_abandoned(names: Iterable[str]) -> None:
    """Mark those as failed that DVC thinks running though their worker was killed, as by a power cut."""
    for _ in range(LOOKS):
        seen = queue()
        left = [name for name in names if seen.status.get(name) == RUNNING]
        if seen.workers or not left:
            return
    for name in left:
        run("queue", "kill", "--force", name)


def start_workers(count: int) -> None:
    """See to it that so many workers are there; each ends when it has found nothing to do for ten seconds."""
    run("queue", "start", "--jobs", str(count))

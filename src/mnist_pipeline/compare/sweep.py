"""The same recipes under the seeds 1 to N, each seed one DVC experiment that the workers of DVC's queue run.

An experiment's name says its seed and a digest of all else that decides its results. So what is there already is taken
over, whatever was committed meanwhile, and a sweep that was interrupted goes on.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from mnist_pipeline.arithmetic import machine, portable
from mnist_pipeline.commits import git, lockfile, revision
from mnist_pipeline.commits.lockfile import Lock
from mnist_pipeline.compare import experiments, seeds
from mnist_pipeline.compare.experiments import FAILED, LOOKS, QUEUED, RUNNING
from mnist_pipeline.core import params, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline import dvc_program
from mnist_pipeline.registry import store

CHANGED = "with changes"
POLL = 5  # seconds between two questions to DVC, which cost half a second of a core each


def sweep(models: list[str], count: int, jobs: int) -> tuple[pd.DataFrame, list[str]]:
    """Run what is missing; returns a row for each seed and model with both accuracies, and the experiments that failed.

    `models` in the order of params.yaml. Raises PipelineError when the pipeline is not up to date.
    """
    check_current()
    every = list(revision.at(None).params["models"])
    digest = fingerprint(lockfile.load(), models)
    names = {seed: f"seed-{seed}-{digest}" for seed in range(1, count + 1)}
    wanted = list(names.values())
    finished = experiments.finished()
    there = [name for name in wanted if name in finished]
    for name in there:
        _say(f"{name:24} there already")
    missing = {seed: name for seed, name in names.items() if name not in there}
    failed: list[str] = []
    if missing:
        _queue(missing, [] if models == every else stages_for(models))
        with _leaving_workers():
            experiments.start_workers(jobs)
            failed = _wait(list(missing.values()))
    return _results({seed: name for seed, name in names.items() if name not in failed}, models), failed


def measured_at() -> str:
    """The commit whose recipes a sweep measures, as seven digits; with a word of params or results that it lacks."""
    changed = git.ask("status", "--porcelain", "--", str(paths.PARAMS), str(lockfile.LOCK))
    return git.ask("rev-parse", "HEAD")[:7] + (f" {CHANGED}" if changed else "")


def check_current() -> None:
    """Refuse to start where stages still have to run: a sweep repeats what is built and published.

    With a subset of the models, an experiment takes the other models as dvc.lock has them, and publishes all.
    A receipt that no longer holds is deleted, as `mnist repro` does: DVC would take it for all being published.
    """
    store.forget_stale_receipt()
    stale = json.loads(dvc_program.run("status", "--json", "--with-deps", "publish"))
    if stale:
        raise PipelineError(
            f"not up to date: {', '.join(stale)}; run `make repro` first: a sweep repeats what is built and published"
        )


def stages_for(models: list[str]) -> list[str]:
    """All that some of the models need: their own two stages, the data before, and what shows them all after."""
    own = [f"{stage}@{model}" for stage in ("train", "evaluate") for model in models]
    return ["download", "verify", *own, "report", "publish"]


def fingerprint(lock: Lock, models: list[str]) -> str:
    """Seven digits for all that decides the results of these models but `seed`: data, code, parameters, versions, and
    in native arithmetic the machine."""
    computed_by = machine.deciding(portable.expected(params.load().runtime))
    deciding = {"models": {model: _inputs(lock, model) for model in models}, "computed by": computed_by}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:7]


def _inputs(lock: Lock, model: str) -> dict[str, Any]:
    entries = [lock.stages[stage] for stage in lockfile.stages_of(model)]
    made = {out["path"] for out in entries[0]["outs"]}
    files = {dep["path"]: dep["md5"] for entry in entries for dep in entry["deps"] if dep["path"] not in made}
    params = {
        key: value for entry in entries for key, value in entry["params"][paths.PARAMS.name].items() if key != "seed"
    }
    return {"files": files, "params": params}


def _queue(missing: dict[int, str], stages: list[str]) -> None:
    """Queue what neither waits nor runs already; what failed once is tried again."""
    experiments.end_abandoned(missing.values())
    status = experiments.queue().status
    for seed, name in missing.items():
        if status.get(name) in (QUEUED, RUNNING):
            continue
        if name in status:
            experiments.forget(name)
        experiments.enqueue(name, [f"seed={seed}"], stages)


def _wait(waiting: list[str]) -> list[str]:
    """Until all have ended, a line for each that does; returns those that failed."""
    began, failed = time.monotonic(), []
    looks = dict.fromkeys(waiting, 0)
    while looks:
        time.sleep(POLL)
        queue, done = experiments.queue(), experiments.finished()
        for name in list(looks):
            alive = queue.workers and queue.status.get(name) in (QUEUED, RUNNING)
            looks[name] = 0 if alive else looks[name] + 1
            if name in done:
                _say(f"{name:24} done after {time.monotonic() - began:.0f} s")
            elif queue.status.get(name) == FAILED or looks[name] == LOOKS:
                failed.append(name)
                _say(f"{name:24} failed; what it printed: dvc queue logs {name}")
            else:
                continue
            del looks[name]
    return failed


def _results(names: dict[int, str], models: list[str]) -> pd.DataFrame:
    rows = []
    for seed, name in names.items():
        found = revision.at(name)
        for model in models:
            metrics = found.metrics(model)
            rows.append({"seed": seed, "model": model} | {key: metrics[key] for key in seeds.ACCURACIES})
    return pd.DataFrame(rows)


@contextmanager
def _leaving_workers() -> Iterator[None]:
    """The workers are DVC's and go on when this process ends."""
    try:
        yield
    except KeyboardInterrupt:
        _say("DVC's workers go on; to end them: dvc queue stop --kill; to wait for them: the same mnist sweep again")
        raise


def _say(line: str) -> None:
    """Progress goes to standard error; standard output is for the table."""
    print(line, file=sys.stderr, flush=True)

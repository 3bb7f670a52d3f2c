"""The recipes under the seeds 1 to N: a DVC project of its own, in `.sweep/`, that the pipeline's runner runs.

.sweep/dvc.yaml  train-SEED@MODEL and evaluate-SEED@MODEL, defined as in the project's own dvc.yaml
.sweep/SEED/     params.yaml with that seed, links to data and code, and the outputs of the stages

Git ignores the folder; its own DVC works without Git, and shares the cache: neither trains what the other has trained.
"""

import sys
from contextlib import chdir, redirect_stdout
from functools import partial
from pathlib import Path

import pandas as pd

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.commits import git, provenance
from mnist_pipeline.compare.seeds import ACCURACIES
from mnist_pipeline.core import params, paths, yaml_reader
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_durably, write_json
from mnist_pipeline.core.locks import locked
from mnist_pipeline.pipeline import dvc_program, repro
from mnist_pipeline.pipeline.commands import Commands

FOLDER, DVC_YAML = Path(".sweep"), Path("dvc.yaml")
LINKED = (".dvcignore", "data", "src", "stages", "versions.json")
CHANGED = "with changes"


@locked(FOLDER / "lock")
def sweep(models: list[str], count: int, jobs: int, commands: Commands | None = None) -> tuple[pd.DataFrame, list[int]]:
    """Run what is missing, after a failure seed by seed, so that the others are complete; returns a row for each seed
    and model with both accuracies, and the seeds that failed."""
    with redirect_stdout(sys.stderr):
        repro.repro(1, {}, lambda _: True, ["verify"])
    config = f'[core]\n    no_scm = true\n[cache]\n    dir = "{dvc_program.run("cache", "dir")}"\n'
    write_durably(FOLDER / ".dvc/config", config.encode())
    seeds = list(range(1, count + 1))
    run = partial(_succeeds, models, jobs=jobs, commands=commands)
    failed = [] if run(seeds) else [seed for seed in seeds if not run([seed])]
    done = [(seed, model) for seed in seeds if seed not in failed for model in models]
    rows = [
        read_json(FOLDER / str(seed) / paths.metrics(model)) | {"seed": seed, "model": model} for seed, model in done
    ]
    return pd.DataFrame(rows, columns=["seed", "model", *ACCURACIES]), failed


def _succeeds(models: list[str], seeds: list[int], jobs: int, commands: Commands | None) -> bool:
    """Whether the stages of these models and seeds are done; what they print goes to standard error."""
    _write(models, seeds)
    recorded, runtime = provenance.seconds(), params.load().runtime
    seconds = {name.replace("@", f"-{seed}@"): time for name, time in recorded.items() for seed in seeds}

    def usable(name: str) -> bool:
        seed, _, model = name.partition("-")[2].partition("@")
        return not name.startswith("train") or portable.is_that_of(model, runtime, Path(seed))

    try:
        with chdir(FOLDER), redirect_stdout(sys.stderr):
            repro.repro(jobs, seconds, usable, commands=commands)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    return True


def _write(models: list[str], seeds: list[int]) -> None:
    content, stages = yaml_reader.read(paths.PARAMS), yaml_reader.read(DVC_YAML)["stages"]
    recipes = {model: content["models"][model] for model in models}
    written = {}
    for seed in seeds:
        for stage in ("train", "evaluate"):
            written[f"{stage}-{seed}"] = {"foreach": recipes, "do": stages[stage]["do"] | {"wdir": str(seed)}}
        folder = FOLDER / str(seed)
        write_json(folder / paths.PARAMS, content | {"seed": seed})
        for link in (folder / name for name in LINKED):
            if not link.is_symlink():
                link.symlink_to(Path("../..", link.name))
    write_json(FOLDER / DVC_YAML, {"stages": written})


def measured_at() -> str:
    """The commit whose recipes a sweep measures, as seven digits; with a word of data, params or code that it lacks."""
    changed = git.ask("status", "--porcelain", "--", "params.yaml", "dvc.yaml", "dvc.lock", *LINKED)
    return git.ask("rev-parse", "HEAD")[:7] + (f" {CHANGED}" if changed else "")

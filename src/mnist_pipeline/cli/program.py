"""The command `mnist`. Everything heavy is imported where it is used, so that `--help` answers at once."""

import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_pipeline.cli import conveniences, models, worker
from mnist_pipeline.core import errors, paths
from mnist_pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Params

TARGETS = "Stages to bring up to date with all they need, also as 'evaluate@*'; by default all."
PUBLISHED = "Models that were trained under these names; by default all of params.yaml."
IMPORTED = 400_000  # new objects before Python looks for garbage, not 700 or 2,000: imports leave next to none

app = typer.Typer(
    help="A reproducible MNIST pipeline: DVC builds it, MLflow records it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def repro(
    targets: Annotated[list[str] | None, typer.Argument(help=TARGETS, show_default=False)] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Stages at once; default: as many as have cores.")] = None,
    record: Annotated[bool, typer.Option(help="Note machine and core-seconds in recorded.json, to commit.")] = False,
    cluster: worker.Address = None,
) -> None:
    """Bring the pipeline up to date, independent stages side by side; a failed one shows its output."""
    from mnist_pipeline.arithmetic import portable
    from mnist_pipeline.commits import provenance
    from mnist_pipeline.pipeline import repro
    from mnist_pipeline.registry import store
    from mnist_pipeline.results import leftovers

    settings = _check_params()
    print(portable.notice(settings.runtime), end="")
    if _trains_each_model():
        leftovers.check(list(settings.models))
    store.forget_stale_receipt()

    def usable(stage: str) -> bool:
        trained = stage.partition("train@")[2]
        return not trained or portable.is_that_of(trained, settings.runtime)

    began = time.perf_counter()
    commands = worker.join(cluster, settings.runtime) if cluster else None
    jobs = jobs or (commands.jobs if commands else settings.runtime.default_jobs())
    ran = repro.repro(jobs, provenance.seconds(), usable, targets or (), commands)
    took = f"{len(ran)} stages ran in {time.perf_counter() - began:.0f} s" if ran else "no stage had to run"
    took += f", {commands.travelled / 1e6:.1f} MB went to the cluster and back" if commands and ran else ""
    see = "mnist leaderboard, make ui, and " if paths.LEADERBOARD.exists() else ""
    print(f"{took}; see: {see}what each stage printed in {paths.LOGS}/")
    if not targets and (said := provenance.uncommitted(settings.runtime)):
        print(said)
    if record:
        provenance.record(ran)


@app.command()
def leaderboard() -> None:
    """Print the leaderboard that the last `report` wrote."""
    if not paths.LEADERBOARD.exists():
        raise PipelineError(f"{paths.LEADERBOARD}: not found; run `make repro` first")
    print(paths.LEADERBOARD.read_text(encoding="utf-8"), end="")


@app.command()
def data(
    header: Annotated[bool, typer.Option("--header", help="Each field of every header, with its meaning.")] = False,
) -> None:
    """What is known about the data: counts, digests and moments, or the headers of the IDX files."""
    from mnist_pipeline.data import idx

    if header:
        print("\n\n".join(idx.explain(path) for path in paths.IDX_FILES))
        return
    if not paths.DATA_METRICS.exists():
        raise PipelineError(f"{paths.DATA_METRICS}: not found; run `make repro` or `dvc repro verify` first")
    print(paths.DATA_METRICS.read_text(encoding="utf-8"), end="")


@app.command()
def publish(models: Annotated[list[str] | None, typer.Argument(help=PUBLISHED, show_default=False)] = None) -> None:
    """Put models into MLflow, by default all, as the stage of that name does; what is there already stays as it is."""
    settings = _check_params()
    from mnist_pipeline.registry import publishing, store

    if models:
        publishing.add(models)
    else:
        publishing.publish(list(settings.models))
    print(f"published {', '.join(models or settings.models)} to {store.shown(store.address())}")


@app.command()
def schema() -> None:
    """Write params.schema.json, by which editors complete, explain and check the keys of params.yaml."""
    from mnist_pipeline.core import files, params

    path = paths.project() / paths.SCHEMA
    files.write_json(path, params.Params.model_json_schema())
    print(path)


def _trains_each_model() -> bool:
    """Whether this folder's dvc.yaml trains each model of params.yaml under its own name; a study may do otherwise."""
    from mnist_pipeline.core import yaml_reader

    content = yaml_reader.read(Path("dvc.yaml"))
    stages = content.get("stages") if isinstance(content, dict) else None
    return not isinstance(stages, dict) or "${models}" in str(stages.get("train"))


def _check_params() -> "Params":
    """The settings, with every network there: a misspelt one would be found only when its turn to train comes."""
    from mnist_pipeline.core import params

    settings, folder = params.load(), paths.project() / "src/mnist_pipeline/networks"
    known = sorted(path.stem for path in folder.glob("[a-z]*.py"))
    for model, recipe in settings.models.items():
        if recipe.network not in known:
            expected = ", ".join(known) or f"none in {folder}"
            found = f"found {recipe.network!r}, expected one of {expected}"
            raise PipelineError(f"params.yaml: models.{model}.network: {found}")
    return settings


app.add_typer(worker.app)
for group in (models, conveniences):
    app.add_typer(group.app)


def run() -> None:
    """The command in `sys.argv`. Raises SystemExit when it is done, as Typer does."""
    with errors.program():
        app()


def main() -> None:
    """Entry point: the process ends here."""
    gc.set_threshold(IMPORTED)
    try:
        run()
    except SystemExit as ended:
        if ended.code:
            raise
    with errors.program():
        errors.end()

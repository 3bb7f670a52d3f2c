"""`mnist sweep`: how much of an accuracy is the recipe's, and how much the seed's."""

from typing import Annotated

import typer

from mnist_pipeline.core.errors import PipelineError

app = typer.Typer()


@app.command()
def sweep(
    count: Annotated[int, typer.Option("--seeds", min=1, help="The seeds are 1 to this number.")],
    models: Annotated[list[str] | None, typer.Option(help="Only these, repeated or with commas; default: all.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Stages at once; default: as many as have cores.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result and the summary as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print the table that the README has.")] = False,
    record: Annotated[bool, typer.Option(help="Keep the results in docs/seeds.json, to commit.")] = False,
) -> None:
    """The same recipes under several seeds, side by side: means, deviations, a paired comparison."""
    if as_json and as_markdown:
        raise PipelineError("--json and --md exclude each other: each names the format")
    if record and models:
        raise PipelineError("--record and --models exclude each other: docs/seeds.json holds a row for every model")
    from mnist_pipeline.compare import seeds, sweep
    from mnist_pipeline.core import params, tables

    settings = params.load()
    named = [name for part in models or settings.models for name in part.split(",")]
    for name in named:
        settings.recipe(name)
    if not settings.split.validation:
        raise PipelineError("params.yaml: split.validation is 0: without validation images no model can be chosen")
    commit = sweep.measured_at()
    if record and sweep.CHANGED in commit:
        changed = "params.yaml, dvc.yaml, dvc.lock, data or code"
        raise PipelineError(f"{changed}: commit them first; --record says of which commit the results are")
    chosen = [name for name in settings.models if name in named]
    results, failed = sweep.sweep(chosen, count, jobs or settings.runtime.default_jobs())
    if sweep.measured_at() != commit:
        raise PipelineError(f"params, data or code changed while the sweep ran, so it is not of {commit}; run it again")
    if as_json and len(results):
        print(seeds.as_json(results, commit))
    elif len(results):
        print(seeds.table(results, commit, tables.markdown if as_markdown else tables.text), end="")
    if failed:
        raise typer.Exit(1)
    if record:
        seeds.record(results, commit)

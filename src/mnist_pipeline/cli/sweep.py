"""`mnist sweep`: how much of an accuracy is the recipe's, and how much the seed's."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer()
Models = Annotated[list[str] | None, typer.Option(help="Only these, repeated or with commas; default: all.")]


@app.command()
def sweep(
    count: Annotated[int, typer.Option("--seeds", min=1, help="The seeds are 1 to this number.")],
    models: Models = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Experiments at once; default: as many as have cores.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result and the summary as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print the table that the README has.")] = False,
    record: Annotated[bool, typer.Option(help="Keep the results in docs/seeds.json, to commit.")] = False,
) -> None:
    """The same recipes under several seeds, each an experiment of DVC: means, deviations, a paired comparison."""
    if as_json and as_markdown:
        raise PipelineError("--json and --md exclude each other: each names the format")
    if record and models:
        raise PipelineError("--record and --models exclude each other: docs/seeds.json holds a row for every model")
    from mnist_pipeline.compare import seeds, sweep
    from mnist_pipeline.core import params

    settings = params.load()
    named = [name for part in models or settings.models for name in part.split(",")]
    for name in named:
        settings.recipe(name)
    commit = sweep.measured_at()
    if record and sweep.CHANGED in commit:
        raise PipelineError("params.yaml, dvc.lock: commit them first; --record says of which commit the results are")
    chosen = [name for name in settings.models if name in named]
    results, failed = sweep.sweep(chosen, count, jobs or settings.runtime.default_jobs())
    if len(results):
        show = _json if as_json else seeds.markdown if as_markdown else seeds.text
        print(show(results, commit), end="")
    if failed:
        raise typer.Exit(1)
    if record:
        seeds.record(results, commit)


def _json(results: "pd.DataFrame", commit: str) -> str:
    from mnist_pipeline.compare import seeds

    summary = json.loads(seeds.summary(results).to_json(orient="index"))
    content = {"commit": commit, "models": summary, "results": results.to_dict(orient="records")}
    return json.dumps(content, indent=2) + "\n"

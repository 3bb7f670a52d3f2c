"""Those of `mnist`'s commands that set results side by side: of two commits, or of many seeds; as text or as a page."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from mnist_pipeline.core.errors import PipelineError

app = typer.Typer()
Json = Annotated[bool, typer.Option("--json", help="Print JSON, unrounded.")]
Markdown = Annotated[bool, typer.Option("--md", help="Print a Markdown table, for a pull request or the README.")]


def _check_format(as_json: bool, as_markdown: bool) -> None:
    if as_json and as_markdown:
        raise PipelineError("--json and --md exclude each other: each names the format")


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="REV_A", help="A commit, branch, tag or experiment.")] = "HEAD",
    after: Annotated[
        str | None, typer.Argument(metavar="REV_B", help="Another; default: the working tree.", show_default=False)
    ] = None,
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> None:
    """Accuracy, errors gained and lost, and what changed in params.yaml: a row a model, REV_A against REV_B."""
    _check_format(as_json, as_markdown)
    from mnist_pipeline.commits import revision
    from mnist_pipeline.compare import comparison, formats

    found = comparison.compare(revision.at(before), revision.at(after))
    if as_json:
        print(json.dumps(asdict(found) | {"differs": found.differs}, indent=2, ensure_ascii=False))
    else:
        print(formats.table(found, as_markdown))


@app.command()
def sweep(
    count: Annotated[int, typer.Option("--seeds", min=1, help="The seeds are 1 to this number.")],
    models: Annotated[list[str] | None, typer.Option(help="Only these, repeated or with commas; default: all.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Stages at once; default: as many as have cores.")] = None,
    as_json: Json = False,
    as_markdown: Markdown = False,
    record: Annotated[bool, typer.Option(help="Keep the results in docs/seeds.json, to commit.")] = False,
) -> None:
    """The same recipes under several seeds, side by side: means, deviations, a paired comparison."""
    _check_format(as_json, as_markdown)
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


@app.command()
def report(
    rev_a: Annotated[str | None, typer.Argument(help="A commit, tag, branch or experiment to set beside…")] = None,
    rev_b: Annotated[str | None, typer.Argument(help="…this one; default: the files as they are.")] = None,
) -> None:
    """Write report/, whose index.html shows all results and opens from disk; of the files as they are, or of two
    revisions side by side."""
    from mnist_pipeline.commits import revision
    from mnist_pipeline.report import page_data

    names = [None] if rev_a is None else [rev_a, rev_b]
    index = page_data.write([revision.at(name) for name in names])
    size = sum(path.stat().st_size for path in index.parent.iterdir())
    print(f"{index}: {size / 1e6:.1f} MB with the files beside it; open it in a browser")


@app.command("plots-page")
def plots_page() -> None:
    """Make `dvc plots show` and `dvc plots diff` write pages that need no network; `make setup` calls it."""
    from mnist_pipeline.report import plots_page

    print(plots_page.install())

"""Those of `mnist`'s commands that a template can go without: pictures, comparisons, pages, and checks."""

import gc
import json
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mnist_pipeline.cli import worker
from mnist_pipeline.core.errors import PipelineError

app = typer.Typer()
WIDTH, INDENT = 120, " " * 6
Json = Annotated[bool, typer.Option("--json", help="Print JSON, unrounded.")]
Markdown = Annotated[bool, typer.Option("--md", help="Print a Markdown table, for a pull request or the README.")]


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Photos, scans or drawings of one digit each, or folders.")],
    as_json: Json = False,
    model: Annotated[str | None, typer.Option(help="A model's name; default: the best by validation.")] = None,
    pulled: Annotated[Path | None, typer.Option("--from", help="Or a folder that mnist pull made.")] = None,
    show: Annotated[Path | None, typer.Option(help="A folder for pictures of what the network sees.")] = None,
) -> None:
    """Recognise digits with the model that results/summary/best.json names, or a pulled one, which is checked first.

    MLflow is not needed.
    """
    from mnist_pipeline.core import files, paths
    from mnist_pipeline.inference import kept
    from mnist_pipeline.pictures import recognition

    if model and pulled:
        raise PipelineError("--model and --from exclude each other: each names the model")
    if pulled:
        from mnist_pipeline.registry import integrity  # and torch

        folder = integrity.checked(pulled)
    else:
        folder = paths.model(model or str(files.read_json(paths.BEST)["model"]))  # `leaderboard` would load pandas
    recognised, refused = recognition.recognise_all(kept.load(folder), images)
    for reason in refused:
        print(f"error: {reason}", file=sys.stderr)
    if as_json:
        rows = [recognition.as_json(one) for one in recognised]
        print(json.dumps(rows, indent=2))
    elif recognised:
        print(recognition.table(recognised))
    if show:
        from mnist_pipeline.pictures import explanation

        for name, picture in explanation.explain(recognised, show):
            print(f"{name}: shown in {picture}", file=sys.stderr)
    if refused:
        raise typer.Exit(1)


@app.command("app")
def page(
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8000,
    allowed_hosts: Annotated[str, typer.Option(help="More names of this machine, box,*.example.org; * for any.")] = "",
) -> None:
    """Serve a page on which to draw digits and see what the registered models make of them."""
    from mnist_pipeline.app import hosting, library
    from mnist_pipeline.core import params

    gc.set_threshold(700)  # often again: what an answer leaves may hold a photo

    listener = hosting.listen(host, port)
    hosting.run(library.registered(params.load().data.name), listener, hosting.names(host, allowed_hosts))


def _check_format(as_json: bool, as_markdown: bool) -> None:
    if as_json and as_markdown:
        raise PipelineError("--json and --md exclude each other: each names the format")


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="REV_A", help="A commit, branch, tag or experiment.")] = "HEAD",
    after: Annotated[str | None, typer.Argument(metavar="REV_B", help="Another; default: the working tree.")] = None,
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
    cluster: worker.Address = None,
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
    commands = worker.join(cluster, settings.runtime) if cluster else None
    jobs = jobs or (commands.jobs if commands else settings.runtime.default_jobs())
    results, failed = sweep.sweep(chosen, count, jobs, commands)
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
    """Write report/, whose index.html opens from disk: all results here, or two revisions side by side."""
    from mnist_pipeline.commits import revision
    from mnist_pipeline.report import page_data

    names = [None] if rev_a is None else [rev_a, rev_b]
    index = page_data.write([revision.at(name) for name in names])
    size = sum(path.stat().st_size for path in index.parent.iterdir())
    print(f"{index}: {size / 1e6:.1f} MB with the files beside it; open it in a browser")


@app.command("plots-page")
def plots_page() -> None:
    """Make `dvc plots show` and `dvc plots diff` write pages that need no network; `make setup` calls it."""
    from mnist_pipeline.report import vega

    print(vega.install_page())


@app.command()
def doctor() -> None:
    """Look at versions, sources, disk, store, device and machine: every line is ok, a note, or what to mend."""
    from mnist_pipeline.doctor import examination

    found = examination.examine()
    for one in found:
        print(textwrap.fill(f"{one.state:<6}{one.name}: {one.found}", WIDTH, subsequent_indent=INDENT))
        if one.advice:
            print(textwrap.fill(f"→ {one.advice}", WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
    broken = [one.name for one in found if one.state == "mend"]
    print(f"to mend: {', '.join(broken)}" if broken else "nothing to mend")
    if broken:
        raise typer.Exit(1)


@app.command("verify-repro")
def verify_repro(
    revision: Annotated[str, typer.Argument(help="A commit, tag, branch or DVC experiment.")] = "HEAD",
    here: Annotated[bool, typer.Option("--here", help="Rebuild nothing: hold the results in this folder.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Check only stages of this name, or like '*@cnn_*'.")] = None,
) -> None:
    """Rebuild a commit in a clean clone, every stage executed, and hold each file against its dvc.lock."""
    from mnist_pipeline.commits import git
    from mnist_pipeline.commits.revision import at
    from mnist_pipeline.proof import evidence, rebuild

    promised = at(revision)
    print(git.ask("show", "--no-patch", "--format=commit %H: %s", str(promised.commit)), flush=True)
    if here:
        reached = evidence.compare(promised, Path(), only or ())
    else:
        if changes := git.ask("status", "--porcelain", "--untracked-files=no").splitlines():
            files = "1 file here has" if len(changes) == 1 else f"{len(changes)} files here have"
            print(f"{files} uncommitted changes; it is the commit that is checked, without them", flush=True)
        with rebuild.rebuilt(promised, only or ()) as folder:
            reached = evidence.compare(promised, folder, only or ())
        ran = "every stage" if only is None else "each of these stages"
        print(f"{ran} was executed in a clean clone, which is deleted; nothing was restored")
    print("\n".join(reached.lines()), flush=True)
    verdict = reached.check()
    if only is None:
        print(f"for the README's table of machines:\n{reached.row()}")
    print(verdict)

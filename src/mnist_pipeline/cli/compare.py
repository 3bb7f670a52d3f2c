"""`mnist compare`: two revisions side by side."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from mnist_pipeline.core.errors import PipelineError

app = typer.Typer()


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="REV_A", help="A commit, branch, tag or experiment.")] = "HEAD",
    after: Annotated[
        str | None, typer.Argument(metavar="REV_B", help="Another; default: the working tree.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, unrounded.")] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print a Markdown table for a pull request.")] = False,
) -> None:
    """Accuracy, errors gained and lost, and what changed in params.yaml: a row a model, REV_A against REV_B."""
    if as_json and as_markdown:
        raise PipelineError("--json and --md exclude each other: each names the format")
    from mnist_pipeline.commits import revision
    from mnist_pipeline.compare import comparison, formats

    found = comparison.compare(revision.at(before), revision.at(after))
    if as_json:
        print(json.dumps(asdict(found) | {"differs": found.differs}, indent=2, ensure_ascii=False))
    else:
        print(formats.markdown(found) if as_markdown else formats.text(found))

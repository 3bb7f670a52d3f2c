"""The commands of `mnist` that write pages to look at without a network."""

from typing import Annotated

import typer

app = typer.Typer()


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

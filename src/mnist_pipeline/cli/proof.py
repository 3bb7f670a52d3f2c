"""The command of `mnist` that proves what is promised about bits."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command("verify-repro")
def verify_repro(
    revision: Annotated[str, typer.Argument(help="A commit, tag, branch or DVC experiment.")] = "HEAD",
    here: Annotated[
        bool, typer.Option("--here", help="Rebuild nothing: hold the results in this folder, after `mnist repro`.")
    ] = False,
) -> None:
    """Rebuild a commit in a clean clone, every stage executed, and hold each file against its dvc.lock."""
    from pathlib import Path

    from mnist_pipeline.commits import git
    from mnist_pipeline.commits.revision import at
    from mnist_pipeline.proof import evidence, rebuild

    promised = at(revision)
    print(git.ask("show", "--no-patch", "--format=commit %H: %s", str(promised.commit)), flush=True)
    if here:
        reached = evidence.compare(promised, Path())
    else:
        _mention_changes()
        with rebuild.rebuilt(promised) as folder:
            reached = evidence.compare(promised, folder)
        print("every stage was executed in a clean clone, which is deleted; nothing was restored")
    print("\n".join(reached.lines()), flush=True)
    print(f"for the README's table of machines:\n{reached.row()}", flush=True)
    print(reached.check())


def _mention_changes() -> None:
    from mnist_pipeline.commits import git

    changes = git.ask("status", "--porcelain", "--untracked-files=no").splitlines()
    if changes:
        files = "1 file here has" if len(changes) == 1 else f"{len(changes)} files here have"
        print(f"{files} uncommitted changes; it is the commit that is checked, without them")

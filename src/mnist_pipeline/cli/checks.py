"""Those of `mnist`'s commands that check: this machine and folder, and what is promised about bits."""

import textwrap
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
WIDTH = 120
INDENT = " " * 6


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
    here: Annotated[
        bool, typer.Option("--here", help="Rebuild nothing: hold the results in this folder, after `mnist repro`.")
    ] = False,
) -> None:
    """Rebuild a commit in a clean clone, every stage executed, and hold each file against its dvc.lock."""
    from mnist_pipeline.commits import git
    from mnist_pipeline.commits.revision import at
    from mnist_pipeline.proof import evidence, rebuild

    promised = at(revision)
    print(git.ask("show", "--no-patch", "--format=commit %H: %s", str(promised.commit)), flush=True)
    if here:
        reached = evidence.compare(promised, Path())
    else:
        changes = git.ask("status", "--porcelain", "--untracked-files=no").splitlines()
        if changes:
            files = "1 file here has" if len(changes) == 1 else f"{len(changes)} files here have"
            print(f"{files} uncommitted changes; it is the commit that is checked, without them", flush=True)
        with rebuild.rebuilt(promised) as folder:
            reached = evidence.compare(promised, folder)
        print("every stage was executed in a clean clone, which is deleted; nothing was restored")
    print("\n".join(reached.lines()), flush=True)
    print(f"for the README's table of machines:\n{reached.row()}", flush=True)
    print(reached.check())

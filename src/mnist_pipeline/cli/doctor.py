"""`mnist doctor`: what keeps the pipeline from running here, and what to do."""

import textwrap

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

"""Those of `mnist`'s commands that recognise digits: in files, and on a page to draw on."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Photos, scans or drawings of one digit each, or folders.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    model: Annotated[str | None, typer.Option(help="A model's name; default: the best by validation.")] = None,
    show: Annotated[Path | None, typer.Option(help="A folder for pictures of what the network sees.")] = None,
) -> None:
    """Recognise digits with the model that results/summary/best.json names. MLflow is not needed."""
    from mnist_pipeline.core import paths
    from mnist_pipeline.pictures import recognition
    from mnist_pipeline.results import leaderboard
    from mnist_pipeline.training import predictor

    classifier = predictor.load(paths.model(model or leaderboard.read_best()))
    recognised, refused = recognition.recognise_all(classifier, images)
    for reason in refused:
        print(f"error: {reason}", file=sys.stderr)
    if as_json:
        print(json.dumps([recognition.as_json(one) for one in recognised], indent=2))
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

    listener = hosting.listen(host, port)
    hosting.run(library.registered(params.load().data.name), listener, hosting.names(host, allowed_hosts))

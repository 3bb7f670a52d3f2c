"""Those of `mnist`'s commands that look up, hand out and rank registered models."""

from pathlib import Path
from typing import Annotated

import typer

from mnist_pipeline.core import tables
from mnist_pipeline.core.errors import PipelineError

app = typer.Typer()
Reason = Annotated[str, typer.Option(help="Why; it is kept with the version.")]


@app.command()
def pull(
    folder: Annotated[Path, typer.Argument(help="Where to; it must not exist yet, or be empty.")],
    version: Annotated[int | None, typer.Option(help="The number of a registered version.")] = None,
    alias: Annotated[str | None, typer.Option(help="Or the version that bears this alias; default: champion.")] = None,
    commit: Annotated[str | None, typer.Option(help="Or what this commit, tag, branch or experiment has…")] = None,
    model: Annotated[str | None, typer.Option(help="…as this model; goes with --commit.")] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="And beside it, as FOLDER.onnx, the model in ONNX.")] = False,
) -> None:
    """Get a registered model: signature, requirements, plain weights, model.json, and a card to read."""
    if (commit is None) != (model is None):
        raise PipelineError("--commit and --model go together: which commit, and which of its models")
    if sum(way is not None for way in (version, alias, commit)) > 1:
        raise PipelineError("--version, --alias and --commit exclude each other: each names the model")
    exported = Path(f"{folder.resolve()}.onnx")
    if onnx and (exported.exists() or exported.is_symlink()):
        raise PipelineError(f"{exported}: is there already and is not overwritten; move it, or name another folder")
    from mnist_pipeline.commits import lineage
    from mnist_pipeline.registry import connection, integrity, pulling, tags, versions

    built = None
    with connection.existing():
        if version is not None:
            found = versions.numbered(_name(), version)
        elif commit is not None and model is not None:
            built = lineage.model_at(commit, model)
            found = versions.holding(_name(), built.content, f"{model} as {commit} has it")
        else:
            found = versions.bearing(_name(), alias or tags.CHAMPION)
        pulling.pull(found, folder, built)
    print(f"{found} is in {folder}; read {folder / 'README.md'}", flush=True)
    if onnx:
        from mnist_pipeline.inference import export

        print(f"{export.write(folder / integrity.PLAIN, exported)}  {exported}")


@app.command()
def lineage(
    revision: Annotated[str | None, typer.Argument(help="A commit, tag, branch or DVC experiment.")] = None,
    version: Annotated[int | None, typer.Option(help="A registered version: which commits hold it?")] = None,
) -> None:
    """The models of a commit, with their runs and registered versions; or the commits that hold a version."""
    if revision is not None and version is None:
        _print_models(revision)
    elif version is not None and revision is None:
        _print_commits(version)
    else:
        raise PipelineError("say either a revision (mnist lineage HEAD) or a version (mnist lineage --version 3)")


def _print_models(revision: str) -> None:
    from mnist_pipeline.commits import git, lineage
    from mnist_pipeline.registry import lookup, store

    built, known = lineage.models_at(revision), {}
    if store.exists():
        known = {version.content: version for version in reversed(lookup.all_of(_name()))}
    print(git.ask("show", "--no-patch", "--date=short", "--format=%H %ad %s", git.commit_of(revision)))
    rows = []
    for model in built:
        version, figures = known.get(model.content), model.figures
        rows.append(
            {
                "model": model.model,
                "models/NAME md5": model.folder_md5,
                "weights md5": model.weights_md5 or (version and version.tags.get("weights_md5")),
                "test accuracy": figures.get("test_accuracy"),
                "errors": figures.get("test_errors"),
                "validation accuracy": figures.get("validation_accuracy"),
                "version": version and f"{version.number}{' champion' if version.is_champion else ''}",
                "run": version and version.run_id,
            }
        )
    print(tables.text(rows))
    if not known:
        print(f"nothing is registered in {store.shown(store.address())}")


def _print_commits(number: int) -> None:
    from mnist_pipeline.commits import lineage
    from mnist_pipeline.registry import connection, pulling, versions

    with connection.existing():
        version = versions.numbered(_name(), number)
        results = pulling.results_of(version)
    print(f"{version}, run {version.run_id}; commits that hold it:")
    commits = lineage.commits_with(version.model, results)
    elsewhere = "it was published from a tree with changes, a study's folder (ask there), or another repository"
    print("\n".join(commits) or f"none in this folder's dvc.lock: {elsewhere}")


@app.command()
def promote(
    version: Annotated[int, typer.Argument(help="The number of the version.")],
    reason: Reason,
    force: Annotated[bool, typer.Option(help="Even if it is worse on the validation images.")] = False,
) -> None:
    """Make a version champion by hand; only a newer and better one will take its place."""
    from mnist_pipeline.registry import champion

    print(f"{champion.promote(_name(), version, reason, force)} is champion")


@app.command()
def rollback(reason: Reason) -> None:
    """Make the previous champion champion again; only a newer and better version will take its place."""
    from mnist_pipeline.registry import champion

    print(f"{champion.rollback(_name(), reason)} is champion again")


@app.command()
def history() -> None:
    """Who was champion when, and why."""
    from mnist_pipeline.registry import connection, tags, versions

    with connection.existing():
        reigns = tags.reigns(versions.all_of(_name()))
    rows = [
        {
            "since (UTC)": f"{reign.since:%Y-%m-%d %H:%M:%S}",
            "version": reign.version.number,
            "model": reign.version.model,
            "validation accuracy": reign.version.tags.get("validation_accuracy"),
            "by": reign.by,
            "reason": reign.reason,
        }
        for reign in reigns
    ]
    print(tables.text(rows) or "nothing is on record")


@app.command()
def relocate(
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this only say what would be done.")] = False,
) -> None:
    """After the repository was moved: lead MLflow's addresses of artifacts to where they are now."""
    from mnist_pipeline.registry import relocation

    lines = relocation.relocate(apply)
    print("\n".join(lines) or "every address leads to where the artifacts are")
    if lines and not apply:
        print("nothing was changed; to do it: mnist relocate --apply")


def _name() -> str:
    """The registered model's name: that of the data."""
    from mnist_pipeline.core import params

    return params.load().data.name

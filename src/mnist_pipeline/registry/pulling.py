"""A registered model as a folder of files: with its signature, requirements, plain weights, and a card to read."""

import tempfile
from pathlib import Path

import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.tracking import MlflowClient

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.registry import model_card, versions
from mnist_pipeline.registry.connection import existing
from mnist_pipeline.registry.election import CHAMPION, Version
from mnist_pipeline.registry.publication import MD5
from mnist_pipeline.training import checkpoints

PLAIN = "extra_files"  # where MLflow puts the files that `publish` gives it beside its own


def by_number(name: str, number: int, folder: Path) -> Version:
    """Pull that version. Raises PipelineError when there is none, or when `folder` has something in it."""
    with existing() as client:
        return _pull(client, versions.find(versions.all_of(client, name), name, number), folder)


def by_alias(name: str, alias: str, folder: Path) -> Version:
    """Pull the version that bears an alias."""
    with existing() as client:
        number = versions.aliases(client, name).get(alias)
        if number is None:
            raise PipelineError(
                f"{name}: no version bears the alias {alias}; the one that `publish` gives is {CHAMPION}"
            )
        return _pull(client, versions.find(versions.all_of(client, name), name, number), folder)


def by_content(name: str, content: str, what: str, folder: Path) -> Version:
    """Pull the version that holds these results; `what` says in words whose they are."""
    with existing() as client:
        version = versions.with_content(versions.all_of(client, name), content)
        if version is None:
            raise PipelineError(
                f"{what}: not registered in this store; check that commit out in a clone, then `dvc pull` or "
                "`make repro` there, and `mnist publish`"
            )
        return _pull(client, version, folder)


def registered(name: str) -> list[Version]:
    """All versions, the champion first, then the newest first."""
    with existing() as client:
        found = versions.all_of(client, name)
    return sorted(found, key=lambda version: (not version.is_champion, -version.number))


def by_contents(name: str) -> dict[str, Version]:
    """All versions by the digest of the results that they hold."""
    with existing() as client:
        return {str(version.content): version for version in reversed(versions.all_of(client, name))}


def results_of(name: str, number: int) -> tuple[Version, dict[str, str]]:
    """A version and the md5s of the results that it holds, by path. Raises PipelineError when there is none."""
    with existing() as client:
        version = versions.find(versions.all_of(client, name), name, number)
        tags = client.get_run(version.run_id).data.tags
    results = {tag.removeprefix(MD5): md5 for tag, md5 in tags.items() if tag.startswith(MD5)}
    if not results:
        raise PipelineError(f"{version}: its run says no md5s, so it was not published from a dvc.lock")
    return version, results


def fetch(version: Version, folder: Path) -> None:
    """Bring the plain files of a version into `folder`: weights.safetensors, checked, and model.json."""
    with existing(), tempfile.TemporaryDirectory(dir=folder) as temporary:
        place = Path(download_artifacts(artifact_uri=f"{_uri(version)}/{PLAIN}", dst_path=temporary))
        _check(version, place / checkpoints.WEIGHTS)
        for file in (checkpoints.WEIGHTS, checkpoints.CARD):
            (place / file).rename(folder / file)


def _pull(client: MlflowClient, version: Version, folder: Path) -> Version:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PipelineError(f"{folder}: is there already and not empty; name a folder that is new")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        whole = Path(temporary) / "model"
        whole.mkdir()
        download_artifacts(artifact_uri=_uri(version), dst_path=str(whole))
        _check(version, whole / PLAIN / checkpoints.WEIGHTS)
        (whole / "README.md").write_text(_card(client, version, whole / PLAIN), encoding="utf-8")
        whole.replace(folder)
    return version


def _uri(version: Version) -> str:
    return f"models:/{version.name}/{version.number}"


def _check(version: Version, weights: Path) -> None:
    expected, found = version.tags.get("weights_md5"), lockfile.md5(weights)
    if not found:
        raise PipelineError(
            f"{version}: the store has no files of it; if its folder was moved: mnist relocate; if they were deleted: "
            "`mnist publish` its commit to a fresh store"
        )
    if expected is None:
        raise PipelineError(f"{version}: says no md5 of its weights; `mnist publish` its commit again, then pull it")
    if found != expected:
        raise PipelineError(f"{version}: {weights.name} arrived with md5 {found}, expected {expected}; pull it again")


def _card(client: MlflowClient, version: Version, plain: Path) -> str:
    """What the run knows of the model, in words."""
    with tempfile.TemporaryDirectory() as tables:
        metrics, confusion = (
            download_artifacts(run_id=version.run_id, artifact_path=artifact, dst_path=tables)
            for artifact in (f"metrics/{version.model}.json", "tables/confusion.csv")
        )
        figures, counts = read_json(Path(metrics)), pd.read_csv(confusion)
    description = client.get_model_version(version.name, str(version.number)).description
    return model_card.write(str(version), version.name, description, checkpoints.load_card(plain), figures, counts)

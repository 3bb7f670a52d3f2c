"""A registered model as a folder of files: with its signature, requirements, plain weights, and a card to read.

`pull` and `results_of` are to be called inside a connection; `fetch` opens its own, since threads call it later.
"""

import tempfile
from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.tracking import MlflowClient

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import model_card
from mnist_pipeline.registry.connection import existing
from mnist_pipeline.registry.publication import MD5
from mnist_pipeline.registry.versions import Version
from mnist_pipeline.training import checkpoints

PLAIN = "extra_files"  # where MLflow puts the files that `publish` gives it beside its own


def results_of(version: Version) -> dict[str, str]:
    """The md5s of the results that a version holds, by path. Raises PipelineError when its run does not say them."""
    tags = MlflowClient().get_run(version.run_id).data.tags
    results = {tag.removeprefix(MD5): md5 for tag, md5 in tags.items() if tag.startswith(MD5)}
    if not results:
        raise PipelineError(f"{version}: its run has no md5 tags, so it was not published from a dvc.lock")
    return results


def fetch(version: Version, folder: Path) -> None:
    """Bring the plain files of a version into `folder`: weights.safetensors, checked, and model.json.

    Raises PipelineError when the store can't be reached or the weights are not those that were registered.
    """
    with existing(), tempfile.TemporaryDirectory(dir=folder) as temporary:
        plain = _download(version, Path(temporary))
        for file in (checkpoints.WEIGHTS, checkpoints.MANIFEST):
            (plain / file).rename(folder / file)


def pull(version: Version, folder: Path) -> None:
    """Make `folder` with all files of a version and README.md, its model card.

    Raises PipelineError when the folder has something in it or is to lie in a file, or when the weights are not those
    that were registered.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PipelineError(f"{folder}: is there already and not empty; name a folder that is new")
    for parent in folder.parents:
        if parent.is_file():
            raise PipelineError(f"{folder}: expected a folder above it, found the file {parent}; name another place")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        whole = Path(temporary) / "model"
        whole.mkdir()
        card = model_card.write(version, _download(version, whole))
        (whole / "README.md").write_text(card, encoding="utf-8")
        whole.replace(folder)


def _download(version: Version, folder: Path) -> Path:
    """Bring all files of a version into `folder`; returns the folder of the plain ones, their weights checked."""
    download_artifacts(artifact_uri=f"models:/{version.name}/{version.number}", dst_path=str(folder))
    expected, found = version.tags.get("weights_md5"), lockfile.md5(folder / PLAIN / checkpoints.WEIGHTS)
    if not found:
        raise PipelineError(
            f"{version}: the store has no files of it; if its folder was moved: mnist relocate; if they were deleted: "
            "`mnist publish` its commit to a fresh store"
        )
    if expected is None:
        raise PipelineError(f"{version}: says no md5 of its weights; `mnist publish` its commit again, then pull it")
    if found != expected:
        raise PipelineError(
            f"{version}: {checkpoints.WEIGHTS} arrived with md5 {found}, expected {expected}; pull it again"
        )
    return folder / PLAIN

"""A registered model as a folder of files: with its signature, requirements, plain weights, and a card to read.

`pull` and `results_of` are to be called inside a connection; `fetch` opens its own, since threads call it later.
"""

import json
import tempfile
from pathlib import Path

from mlflow.tracking import MlflowClient

from mnist_pipeline.commits import lockfile
from mnist_pipeline.commits.lineage import Built
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import integrity, model_card
from mnist_pipeline.registry.connection import download, existing
from mnist_pipeline.registry.integrity import PLAIN
from mnist_pipeline.registry.publication import MD5
from mnist_pipeline.registry.tags import Version
from mnist_pipeline.training import checkpoints


def results_of(version: Version) -> dict[str, str]:
    """The md5s of the results that a version holds, by path. Raises PipelineError when its run does not say them."""
    tags = MlflowClient().get_run(version.run_id).data.tags
    results = {tag.removeprefix(MD5): md5 for tag, md5 in tags.items() if tag.startswith(MD5)}
    if not results:
        raise PipelineError(f"{version}: its run has no md5 tags, so it was not published from a dvc.lock")
    return results


def fetch(version: Version, folder: Path) -> None:
    """Bring weights.safetensors, model.json, the network's file, and SHA256SUMS for `integrity.holds`, into `folder`.

    Raises PipelineError when the store can't be reached or the files are not those that were registered.
    """
    with existing(), tempfile.TemporaryDirectory(dir=folder) as temporary:
        whole = Path(temporary)
        _download(version, whole)
        for file in (*(whole / PLAIN).iterdir(), whole / integrity.SUMS):
            file.rename(folder / file.name)


def pull(version: Version, folder: Path, built: Built | None = None) -> None:
    """Make `folder` with all files of a version and README.md, its model card; nothing in them is run.

    Raises PipelineError when the folder has something in it or is to lie in a file, when the files are not those that
    were registered, or when weights, model.json and network are not those of `built`, whatever the registry says.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise PipelineError(f"{folder}: is there already and not empty, or a link; name a folder that is new")
    for parent in folder.parents:
        if parent.is_file():
            raise PipelineError(f"{folder}: expected a folder above it, found the file {parent}; name another place")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        whole = Path(temporary) / "model"
        whole.mkdir()
        _download(version, whole)
        if built:
            _compare(version, whole, built)
        (whole / "README.md").write_text(model_card.write(version, whole / PLAIN), encoding="utf-8")
        try:
            whole.replace(folder)
        except OSError as error:
            said = f"{error.strerror}, as where a disk is mounted or something came in meanwhile"
            raise PipelineError(f"{folder}: can't be replaced: {said}; name a folder that is new") from None


def _download(version: Version, folder: Path) -> None:
    """Bring all files of a version into `folder` and check them."""
    download(f"models:/{version.name}/{version.number}", folder)
    if not any((folder / PLAIN).glob("*")):
        raise PipelineError(
            f"{version}: the store has no files of it; if its folder was moved: mnist relocate; if they were deleted: "
            "`mnist publish` its commit again"
        )
    if integrity.TAG not in version.tags:
        raise PipelineError(f"{version}: says no digest of its files; `mnist publish` its commit again, then pull it")
    integrity.check(folder, version.tags[integrity.TAG], str(version))


def _compare(version: Version, folder: Path, built: Built) -> None:
    """Hold weights, manifest and network against dvc.lock as Git has it, by the list whose md5 it gives a folder."""
    files, plain = folder / integrity.FILES, folder / PLAIN
    network = f"{checkpoints.load_manifest(plain).recipe.network}.py"
    listing = files.read_bytes() if files.is_file() else b""
    found = {files.name: lockfile.md5_of(listing) + lockfile.FOLDER}
    found |= {name: lockfile.md5(plain / name) for name in (checkpoints.WEIGHTS, checkpoints.MANIFEST, network)}
    expected = {files.name: built.folder_md5, network: built.network_md5(network)}
    if found[files.name] == built.folder_md5:
        expected |= {entry["relpath"]: entry["md5"] for entry in json.loads(listing)}
    for name in found:
        if found[name] != expected.get(name):
            raise PipelineError(
                f"{version}: {name} has md5 {found[name]}, expected {expected.get(name)}, as dvc.lock of "
                f"{built.revision} has it of {built.model}; what is registered is not what that commit built"
            )

"""The files of a model on their way to MLflow: those of a new version, and anew those of one that has others."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
from mlflow.artifacts import list_artifacts
from mlflow.models import Model, infer_signature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.registry import integrity
from mnist_pipeline.registry.connection import GONE, download, files, tolerated
from mnist_pipeline.registry.publication import Publication
from mnist_pipeline.registry.tags import Version
from mnist_pipeline.training import checkpoints, predictor

REQUIREMENTS = [f"{name}=={metadata.version(name).split('+')[0]}" for name in ("mlflow", "torch", "numpy")]
ROUNDS = 3
PAUSE = 1.0, 5.0  # seconds, at random: an upload takes one or two


def is_listed(client: MlflowClient, version: Version) -> bool | None:
    """Whether the store lists SHA256SUMS of a version; None where its model was removed: there is no place for any."""
    with tolerated(GONE), files(str(version)):
        if version.model_id:
            return any(file.path == integrity.SUMS for file in client.list_logged_model_artifacts(version.model_id))
        copied = list_artifacts(artifact_uri=f"models:/{version.name}/{version.number}")
        return any(file.path == integrity.SUMS for file in copied) or None
    return None


def renew(client: MlflowClient, given: Publication, version: Version) -> None:
    """Bring the files of a version anew, without leftovers of those before, and set the digest of their sums.

    Of several that do so at once each looks afterwards whether files and digest are of one, and again after a pause, in
    which another may have mended it. Raises PipelineError when they don't agree after `ROUNDS` uploads.
    """
    number, found = str(version.number), ""
    for _ in range(ROUNDS):
        with saved(given, version.run_id, version.model_id) as (folder, sums):
            _clear(client, version.model_id, folder)
            client.log_model_artifacts(version.model_id, str(folder))
            client.set_model_version_tag(given.name, number, integrity.TAG, sums)
            if not (folder / integrity.SIGNATURE).is_file():
                client.set_model_version_tag(given.name, number, "signed", "no")
        for pause in (0.0, random.uniform(*PAUSE)):  # noqa: S311
            time.sleep(pause)
            try:
                return _check(client, given, version)
            except PipelineError as error:
                found = str(error)
    with tolerated(GONE):
        client.delete_model_version_tag(given.name, number, integrity.NETWORK)
    place = client.get_logged_model(version.model_id).artifact_location
    raise PipelineError(
        f"{found}. That was so after each of {ROUNDS} uploads to {place}; when nobody else publishes this version or "
        "changes files there, run `mnist publish` again"
    )


def _check(client: MlflowClient, given: Publication, version: Version) -> None:
    """Raise PipelineError when the files that the store has now, and their digest, are not of one upload of ours."""
    tags = client.get_model_version(given.name, str(version.number)).tags
    with TemporaryDirectory() as temporary:
        download(f"models:/{version.model_id}", Path(temporary))
        integrity.check_own(Path(temporary), tags.get(integrity.TAG, ""), str(version))
        network = Path(temporary) / integrity.PLAIN / given.network.name
        if not network.is_file() or network.read_bytes() != given.network.read_bytes():
            raise PipelineError(f"{version}: {network.name} is another one than this tree's")


def _clear(client: MlflowClient, model_id: str, new: Path) -> None:
    """Delete from the store what `publish` once brought of a model and would not overwrite now; nothing of others."""
    with TemporaryDirectory() as temporary:
        download(f"models:/{model_id}", Path(temporary))
        stale = integrity.left_over(Path(temporary), new)
    artifacts = get_artifact_repository(client.get_logged_model(model_id).artifact_location)
    for name in stale:
        with suppress(NotImplementedError):  # as of some clouds; what is left is then found and named
            artifacts.delete_artifacts(name)


@contextmanager
def saved(given: Publication, run_id: str, model_id: str) -> Iterator[tuple[Path, str]]:
    """A folder with all files of a model, for use with MLflow and without it, sealed; and the digest of their sums."""
    folder = paths.model(given.model)
    images = np.zeros((2, 1, 28, 28), np.float32)  # one row would freeze the batch at 1
    classifier = predictor.load(folder)
    classes = None if classifier.classes == DIGITS else classifier.classes
    signature = infer_signature(images, np.zeros((2, len(classifier.classes)), np.float32))
    if classes:
        name = f"probabilities of {', '.join(classes)}"
        signature.outputs = Schema([TensorSpec(np.dtype(np.float32), (-1, len(classes)), name)])
    with TemporaryDirectory() as temporary:
        whole = Path(temporary) / "model"
        mlflow.pytorch.save_model(
            classifier,
            whole,
            mlflow_model=Model(run_id=run_id, model_uuid=model_id, model_id=model_id),
            signature=signature,
            input_example=images,
            pip_requirements=REQUIREMENTS,
            extra_files=[str(folder / checkpoints.WEIGHTS), str(folder / checkpoints.MANIFEST), given.network.as_uri()],
            serialization_format="pt2",
            metadata=classes and {"classes": classes},
        )
        (whole / integrity.FILES).write_bytes(lockfile.listing(folder))
        yield whole, integrity.seal(whole)

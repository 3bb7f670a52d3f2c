"""The files of a model on their way to MLflow: those of a new version, and anew those of one that has others."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
import torch
from mlflow.artifacts import download_artifacts
from mlflow.models import Model, ModelSignature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.registry import integrity
from mnist_pipeline.registry.connection import GONE, tolerated
from mnist_pipeline.registry.publication import Publication
from mnist_pipeline.registry.versions import Version
from mnist_pipeline.training import checkpoints, predictor

REQUIREMENTS = [
    f"mlflow=={mlflow.__version__}",
    f"torch=={torch.__version__.split('+')[0]}",
    f"numpy=={np.__version__}",
]
ROUNDS = 3
PAUSE = 1.0, 5.0  # seconds, at random: an upload takes one or two


def log(client: MlflowClient, given: Publication, run_id: str, model_id: str) -> str:
    """Bring the files of a model that has none yet to MLflow. Returns the digest of their sums."""
    with _saved(given, run_id, model_id) as folder:
        client.log_model_artifacts(model_id, str(folder))
        return sha256_of(folder / integrity.SUMS)


def is_listed(client: MlflowClient, version: Version) -> bool:
    """Whether the store lists SHA256SUMS among the files of a version, which is one question, whatever their size.

    True too where its logged model was deleted, which leaves no place to bring them to.
    """
    with tolerated(GONE):
        return any(file.path == integrity.SUMS for file in client.list_logged_model_artifacts(version.model_id))
    return True


def renew(client: MlflowClient, given: Publication, version: Version) -> None:
    """Bring the files of a version anew, without leftovers of those before, and set the tags that tell of them.

    Where several do so at once, files and tags may be of different ones. So each looks afterwards, and again after a
    pause, in which another may have mended it, before it brings them once more. Raises PipelineError when they don't
    agree after `ROUNDS` uploads; the next `publish` then begins again.
    """
    number, found = str(version.number), ""
    for _ in range(ROUNDS):
        with _saved(given, version.run_id, version.model_id) as folder:
            _clear(client, version.model_id, folder)
            client.log_model_artifacts(version.model_id, str(folder))
            client.set_model_version_tag(given.name, number, integrity.TAG, sha256_of(folder / integrity.SUMS))
        for pause in (0.0, random.uniform(*PAUSE)):  # noqa: S311
            time.sleep(pause)
            try:
                marks = _marks(client, given, version)
            except PipelineError as error:
                found = str(error)
                continue
            for key, value in marks.items():
                client.set_model_version_tag(given.name, number, key, value)
            return
    with tolerated(GONE):
        client.delete_model_version_tag(given.name, number, integrity.NETWORK)
    place = client.get_logged_model(version.model_id).artifact_location
    raise PipelineError(
        f"{found}. That was so after each of {ROUNDS} uploads to {place}; when nobody else publishes this version or "
        "changes files there, run `mnist publish` again"
    )


def _marks(client: MlflowClient, given: Publication, version: Version) -> dict[str, str]:
    """The tags that go with the files that the store has now. Raises PipelineError when those are not of one upload."""
    tags = client.get_model_version(given.name, str(version.number)).tags
    marks = integrity.marks(given.network)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        download_artifacts(artifact_uri=f"models:/{version.model_id}", dst_path=temporary)
        integrity.check_own(folder, tags.get(integrity.TAG, ""), str(version))
        network = folder / integrity.PLAIN / given.network.name
        if not network.is_file() or sha256_of(network) != marks[integrity.NETWORK]:
            raise PipelineError(f"{version}: {network.name} is another one than this tree's")
        return marks if (folder / integrity.SIGNATURE).is_file() else {"signed": "no"} | marks


def _clear(client: MlflowClient, model_id: str, new: Path) -> None:
    """Delete from the store what `publish` once brought of a model and would not overwrite now; nothing of others."""
    with TemporaryDirectory() as temporary:
        download_artifacts(artifact_uri=f"models:/{model_id}", dst_path=temporary)
        stale = integrity.left_over(Path(temporary), new)
    artifacts = get_artifact_repository(client.get_logged_model(model_id).artifact_location)
    for name in stale:
        with suppress(NotImplementedError):  # as of some clouds; what is left is then found and named
            artifacts.delete_artifacts(name)


@contextmanager
def _saved(given: Publication, run_id: str, model_id: str) -> Iterator[Path]:
    """A folder with a model's files: as MLflow has them, and those that make the model without MLflow and us.

    They are summed up, and signed, before they leave this machine.
    """
    folder = paths.model(given.model)
    images = Schema([TensorSpec(np.dtype(np.float32), (-1, 1, 28, 28))])
    probabilities = Schema([TensorSpec(np.dtype(np.float32), (-1, 10))])
    with TemporaryDirectory() as temporary:
        saved = Path(temporary) / "model"
        mlflow.pytorch.save_model(
            predictor.load(folder),
            saved,
            mlflow_model=Model(run_id=run_id, model_uuid=model_id, model_id=model_id),
            signature=ModelSignature(images, probabilities),
            input_example=np.zeros((2, 1, 28, 28), np.float32),  # one row would freeze the batch at 1
            pip_requirements=REQUIREMENTS,
            extra_files=[str(folder / checkpoints.WEIGHTS), str(folder / checkpoints.MANIFEST), given.network.as_uri()],
            serialization_format="pt2",
        )
        (saved / integrity.FILES).write_bytes(lockfile.listing(folder))
        integrity.seal(saved)
        yield saved

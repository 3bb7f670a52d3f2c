"""What is published of one trained model, gathered from the files that DVC tracks."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset

from mnist_pipeline import networks
from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import Lock
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, sha256_of
from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.core.tables import flat
from mnist_pipeline.registry import integrity
from mnist_pipeline.registry.tags import CANDIDATE, CLASSES
from mnist_pipeline.training import checkpoints, history
from mnist_pipeline.training.manifest import Manifest

MD5 = "md5:"


class Publication:
    """All that goes into the run and the registered version of a model.

    `name` is that of data, experiment and registered model. `content` is one digest of all that training and evaluation
    left. Metrics are name, value and step (images seen); artifacts are files, each with the folder that it goes into.
    """

    def __init__(self, model: str, lock: Lock) -> None:
        """Read all of it. Raises PipelineError when the files of the model are not those in dvc.lock."""
        outputs = {path: md5 for stage in lockfile.stages_of(model) for path, md5 in lock.check(stage).items()}
        manifest, figures = checkpoints.load_manifest(paths.model(model)), read_json(paths.metrics(model))
        data, trained = read_json(paths.DATA_METRICS), _trained(model)
        files = {name: file.get("upright_sha256", file["idx_sha256"]) for name, file in data["files"].items()}
        digest, source = lockfile.digest(files), json.dumps({"uri": str(paths.IDX)})
        chosen = manifest.model_dump(mode="json", include={"recipe", "seed", "split", "runtime"})
        params = flat(chosen.pop("recipe") | chosen)
        machine = ", ".join(f"{name} {value}" for name, value in trained.get("machine", {}).items())
        self.model, self.name, self.content = model, str(data["name"]), lockfile.digest(outputs)
        self.network = networks.source(manifest.recipe.network)
        self.dataset = Dataset(self.name, digest[:32], "local", source, profile=json.dumps(files))
        self.params = {key: str(value) for key, value in params.items() if value not in (None, {})}
        self.metrics = _metrics(model, figures, trained)
        self.artifacts = _artifacts(model)
        common = {"model": model, "arithmetic": manifest.arithmetic, "content": self.content}
        built = {"machine": machine or "unknown: not trained here"} | {MD5 + path: md5 for path, md5 in outputs.items()}
        self.run_tags = common | built | _origin()
        merits = _merits(manifest, figures, data["splits"], digest)
        self.version_tags = common | integrity.marks(self.network) | merits
        self.description = _describe(manifest, figures, f"{self.name} (SHA-256 {digest[:12]}…)")


def _merits(manifest: Manifest, figures: dict[str, Any], splits: dict[str, Any], data_digest: str) -> dict[str, str]:
    """The tags of a version that an election looks at, and the digest by which its weights are checked."""
    candidate = CANDIDATE
    if manifest.training_images_sha256 != splits["training"]["sha256"]:
        candidate = "no: it was trained on other images than those of the training split"
    elif "validation_accuracy" not in figures:
        candidate = "no: it was not validated"
    elif experiment := os.environ.get("DVC_EXP_NAME"):
        candidate = f"no: it is from experiment {experiment}; apply that, then `make repro`"
    names = {} if manifest.classes == DIGITS else {"classes": CLASSES.join(manifest.classes)}
    accuracies = {name: repr(figures[name]) for name in ("test_accuracy", "validation_accuracy") if name in figures}
    return (names | accuracies) | {
        "candidate": candidate,
        "parameters": str(manifest.parameters),
        "weights_md5": lockfile.md5(paths.model(manifest.model) / checkpoints.WEIGHTS),
        "validation_images": f"{splits['validation']['sha256']} of {data_digest}",
    }


def _describe(manifest: Manifest, figures: dict[str, Any], data: str) -> str:
    """The version in words: data, recipe, accuracy with interval."""
    recipe = manifest.recipe
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs:g} epochs"
    rate = f"{recipe.optimizer.name} at {recipe.optimizer.learning_rate:g}, {recipe.schedule.name}"
    augmented = "random affine augmentation" if recipe.augmentation else "no augmentation"
    names = "" if manifest.classes == DIGITS else f" of {', '.join(manifest.classes)}"
    return (
        f"{manifest.model}: network {recipe.network} with {manifest.parameters:,} parameters, trained on "
        f"{manifest.training_images:,} images of {data} for {epochs} in batches of {recipe.batch}, {rate}, {augmented},"
        f" seed {manifest.seed}. Test accuracy {figures['test_accuracy']:.2%}, 95 % interval "
        f"{figures['test_accuracy_low']:.2%} to {figures['test_accuracy_high']:.2%}, {figures['test_errors']} errors. "
        "Takes float images of shape (n, 1, 28, 28), 0 background to 255 ink; returns probabilities of shape "
        f"(n, {len(manifest.classes)}){names}."
    )


def _artifacts(model: str) -> list[tuple[Path, str]]:
    test = paths.test(model)
    tables = [paths.history(model), test / "predictions.csv", test / "confusion.csv"]
    pictures = sorted((test / "pictures").glob("*.png"))
    places = {"metrics": [paths.metrics(model)], "tables": tables, "pictures": pictures}
    return [(file, folder) for folder, files in places.items() for file in files]


def _metrics(model: str, figures: dict[str, Any], trained: dict[str, Any]) -> list[tuple[str, float, int]]:
    """The whole history, the final figures, and the time that the training took, where it is known."""
    table = history.read(paths.history(model)).drop(columns="epoch")
    points = table.melt("images_seen", var_name="name").dropna()[["name", "value", "images_seen"]]
    seen = int(table["images_seen"].max())
    final = {f"final_{name}" if name in table else name: float(value) for name, value in figures.items()}
    if trained:
        seconds = float(trained["training_seconds"])
        unscored = seconds - float(trained.get("scoring_seconds", 0.0))
        final |= {"training_seconds": seconds, "images_per_second": seen / unscored}
    return [*points.itertuples(index=False, name=None), *((name, value, seen) for name, value in final.items())]


def _trained(model: str) -> dict[str, Any]:
    """What `train` noted of seconds and machine, when these very weights were trained here; else nothing."""
    path = paths.timing(model)
    noted: dict[str, Any] = read_json(path) if path.exists() else {}
    weights = sha256_of(paths.model(model) / checkpoints.WEIGHTS)
    return noted if noted.get("weights_sha256") == weights else {}


def _origin() -> dict[str, str]:
    """The commit that was checked out, whether the tree had changes, the experiment; what Git can't say is unknown."""
    tags = {"git.commit": "unknown", "git.dirty": "unknown"}
    with suppress(PipelineError):  # a tree without any commit, or outside of Git, may publish too
        tags["git.dirty"] = str(bool(git.ask("status", "--porcelain"))).lower()
        tags["git.commit"] = git.ask("rev-parse", "HEAD")
    experiment = {"dvc.experiment": "DVC_EXP_NAME", "dvc.baseline": "DVC_EXP_BASELINE_REV"}
    return tags | {tag: os.environ[name] for tag, name in experiment.items() if os.environ.get(name)}

"""What there is to say about one trained model, gathered from the files that DVC tracks."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_pipeline.commits import git, lockfile
from mnist_pipeline.commits.lockfile import Lock
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, sha256_of
from mnist_pipeline.core.tables import flat
from mnist_pipeline.training import checkpoints, history
from mnist_pipeline.training.manifest import Card

MD5 = "md5:"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Record:
    """A model with all that goes into its run and its registered version."""

    model: str
    card: Card
    figures: dict[str, Any]
    data: dict[str, Any]
    outputs: dict[str, str]
    weights_md5: str
    metrics: list[tuple[str, float, int]]
    artifacts: list[tuple[Path, str]]
    tags: dict[str, str]

    @property
    def content(self) -> str:
        """One digest for everything that training and evaluation left: what makes two results the same."""
        return lockfile.digest(self.outputs)

    @property
    def data_name(self) -> str:
        return str(self.data["name"])

    @property
    def data_digest(self) -> str:
        """One digest for the four decompressed files."""
        files = {name: file["idx_sha256"] for name, file in self.data["files"].items()}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

    @property
    def data_source(self) -> str:
        return json.dumps({"uri": str(paths.IDX)})

    @property
    def data_profile(self) -> str:
        return json.dumps({name: file["idx_sha256"] for name, file in self.data["files"].items()})

    @property
    def params(self) -> dict[str, str]:
        """The recipe and the seeds, flat: `optimizer.learning_rate` and so on."""
        split = {f"split.{key}": str(value) for key, value in self.card.split}
        runtime = {f"runtime.{key}": str(value) for key, value in self.card.runtime}
        recipe = flat(self.card.recipe.model_dump(mode="json"))
        given = {key: str(value) for key, value in recipe.items() if value not in (None, {})}
        return given | {"seed": str(self.card.seed)} | split | runtime

    @property
    def candidate(self) -> str:
        """Whether it may become champion: trained on the training split and nothing else, outside an experiment."""
        if self.data["splits"]["training"]["sha256"] != self.card.training_images_sha256:
            return "no: it was trained on other images than those of the training split"
        if "validation_accuracy" not in self.figures:
            return "no: it was not validated"
        experiment = self.tags.get("dvc.experiment")
        return f"no: it is from experiment {experiment}; apply that, then `make repro`" if experiment else "yes"

    @property
    def version_tags(self) -> dict[str, str]:
        tags = {"model": self.model, "arithmetic": self.card.arithmetic, "candidate": self.candidate}
        tags |= {"parameters": str(self.card.parameters)}
        tags |= {"weights_md5": self.weights_md5, "test_accuracy": repr(self.figures["test_accuracy"])}
        if "validation_accuracy" in self.figures:
            tags["validation_accuracy"] = repr(self.figures["validation_accuracy"])
        return tags | {"validation_images": f"{self.data['splits']['validation']['sha256']} of {self.data_digest}"}

    @property
    def description(self) -> str:
        """The version in words: data, recipe, accuracy with interval."""
        recipe, figures = self.card.recipe, self.figures
        epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs:g} epochs"
        rate = f"{recipe.optimizer.name} at {recipe.optimizer.learning_rate:g}, {recipe.schedule.name}"
        augmented = "random affine augmentation" if recipe.augmentation else "no augmentation"
        return (
            f"{self.model}: network {recipe.network} with {self.card.parameters:,} parameters, trained on "
            f"{self.card.training_images:,} images of {self.data_name} (SHA-256 {self.data_digest[:12]}…) for "
            f"{epochs} in batches of {recipe.batch}, {rate}, {augmented}, seed {self.card.seed}. "
            f"Test accuracy {figures['test_accuracy']:.2%}, 95 % interval {figures['test_accuracy_low']:.2%} to "
            f"{figures['test_accuracy_high']:.2%}, {figures['test_errors']} errors. Takes float images of shape "
            f"(n, 1, 28, 28), 0 background to 255 ink; returns probabilities of shape (n, 10)."
        )


def gather(model: str, lock: Lock) -> Record:
    """Read everything about one model. Raises PipelineError when its files are not those in dvc.lock."""
    outputs = {path: md5 for stage in lockfile.stages_of(model) for path, md5 in lock.check(stage).items()}
    card = checkpoints.load_card(paths.model(model))
    figures = read_json(paths.metrics(model))
    return Record(
        model=model,
        card=card,
        figures=figures,
        data=read_json(paths.DATA_METRICS),
        outputs=outputs,
        weights_md5=lockfile.md5(paths.model(model) / checkpoints.WEIGHTS),
        metrics=_metrics(model, figures),
        artifacts=_artifacts(model),
        tags={"model": model, "arithmetic": card.arithmetic, **_origin()}
        | {MD5 + path: md5 for path, md5 in outputs.items()},
    )


def _artifacts(model: str) -> list[tuple[Path, str]]:
    """Files to attach, each with the folder that it goes into."""
    tables = [paths.history(model), paths.test(model) / "predictions.csv", paths.test(model) / "confusion.csv"]
    pictures = sorted((paths.test(model) / "pictures").glob("*.png"))
    return [
        (paths.metrics(model), "metrics"),
        *((table, "tables") for table in tables),
        *((picture, "pictures") for picture in pictures),
    ]


def _metrics(model: str, figures: dict[str, Any]) -> list[tuple[str, float, int]]:
    """Name, value and step (images seen) of the whole history and of the final figures."""
    table = history.read(paths.history(model))
    seen = int(table["images_seen"].max())
    points: list[tuple[str, float, int]] = []
    for name in table.columns.drop(["images_seen", "epoch"]):
        known = table.dropna(subset=[name])
        points += zip([name] * len(known), known[name].tolist(), known["images_seen"].tolist(), strict=True)
    final = {f"final_{name}" if name in table else name: value for name, value in figures.items()}
    return points + [(name, float(value), seen) for name, value in (final | _timing(model, seen)).items()]


def _timing(model: str, images_seen: int) -> dict[str, float]:
    """Seconds and images a second, when these very weights were trained on this machine."""
    path = paths.timing(model)
    timing = read_json(path) if path.exists() else {}
    if timing.get("weights_sha256") != sha256_of(paths.model(model) / checkpoints.WEIGHTS):
        return {}
    seconds = float(timing["training_seconds"])
    return {"training_seconds": seconds, "images_per_second": images_seen / seconds}


def _origin() -> dict[str, str]:
    """Where the model comes from: the commit that was checked out, whether the tree had changes, the experiment."""
    changes = _asked("status", "--porcelain")
    dirty = changes if changes == UNKNOWN else str(bool(changes)).lower()
    experiment = {"dvc.experiment": "DVC_EXP_NAME", "dvc.baseline": "DVC_EXP_BASELINE_REV"}
    found = {tag: os.environ[name] for tag, name in experiment.items() if os.environ.get(name)}
    return {"git.commit": _asked("rev-parse", "HEAD"), "git.dirty": dirty, **found}


def _asked(*arguments: str) -> str:
    """What git says; a tree without any commit, or outside of Git, may publish too."""
    try:
        return git.ask(*arguments)
    except PipelineError:
        return UNKNOWN

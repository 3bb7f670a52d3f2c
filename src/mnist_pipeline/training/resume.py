"""The state of an unfinished training after its last whole epoch, outside everything that DVC tracks.

`.resume/<model>-<key>/state.safetensors` holds the tensors of network and optimizer, and in its metadata all else as
JSON with a SHA-256 over both. The key stands for all that decides the bits: manifest, code, versions or machine.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import sha256_of, write_durably
from mnist_pipeline.training import checkpoints
from mnist_pipeline.training.loop import Training
from mnist_pipeline.training.manifest import Manifest

PROGRESS = ("epoch", "images_seen", "history", "seconds", "scoring_seconds")


class State:
    """The state of the training that leads to this manifest; `others` are further files that decide what it writes."""

    def __init__(self, manifest: Manifest, others: Iterable[Path] = ()) -> None:
        self.model = manifest.model
        self.folder = paths.root() / paths.RESUME / f"{manifest.model}-{key(manifest, others)}"
        self.path = self.folder / "state.safetensors"
        self.shown = self.path.relative_to(paths.root())  # on a node of a cluster the root is gone when this is read

    def restore(self, training: Training) -> None:
        """Bring a fresh training to where the state stands, if there is one; a damaged one is refused and deleted."""
        if not self.path.exists():
            return
        progress, tensors = _read(self.path)
        if not progress or not progress["beside"].items() <= self._beside().items():
            self.remove()
            print(f"note: {self.shown}: damaged and deleted; {self.model} is trained from its start", file=sys.stderr)
            return
        training.network.load_state_dict(_named(tensors, "network."), strict=True)
        checkpoints.restore_optimizer(training.optimizer, _named(tensors, "optimizer."), progress["groups"])
        for name in PROGRESS:
            setattr(training, name, progress[name])
        print(f"note: {self.model} goes on after epoch {training.epoch}: {self.shown}", file=sys.stderr)

    def save(self, training: Training) -> None:
        """Keep what the training has reached; whatever happens meanwhile, one whole state stays."""
        progress = {name: getattr(training, name) for name in PROGRESS}
        progress |= {"groups": training.optimizer.state_dict()["param_groups"], "beside": self._beside()}
        text = json.dumps(progress)
        tensors = {f"network.{name}": one for name, one in checkpoints.network_tensors(training.network).items()}
        optimizer = checkpoints.optimizer_tensors(training.optimizer)
        tensors |= {f"optimizer.{name}": one for name, one in optimizer.items()}
        with suppress(FileNotFoundError):  # an equal training ended meanwhile and took the folder away
            write_durably(self.path, save(tensors, {"progress": text, "sha256": _digest(text, tensors)}))

    def _beside(self) -> dict[str, str]:
        """SHA-256 of every file in folders beside the state: a study keeps the model of each epoch there."""
        files = [path for path in sorted(self.folder.glob("*/**/*")) if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): sha256_of(path) for path in files}

    def done(self) -> None:
        """The model is written. `mnist repro` forgets the state of its stage once that is booked; else it goes now."""
        if (stage := os.environ.get("MNIST_REPRO")) and self.folder.exists():
            (self.folder / paths.ENDED).write_text(stage, encoding="utf-8")
        else:
            self.remove()

    def remove(self) -> None:
        """Forget the state: the training is done, or has to start anew."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Progress and tensors of a state; empty unless they are what their digest says."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError:
        return {}, {}
    text = metadata.get("progress", "")
    return (json.loads(text), tensors) if metadata.get("sha256") == _digest(text, tensors) else ({}, {})


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    return hashlib.sha256(text.encode() + save(tensors)).hexdigest()


def key(manifest: Manifest, others: Iterable[Path] = ()) -> str:
    """16 hexadecimal digits for the manifest, the code that is loaded, what computes, and the other files' content."""
    files = [sha256_of(path) for path in others]
    parts = [manifest.model_dump(mode="json"), _code(), machine.deciding(manifest.arithmetic), files]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _code() -> dict[str, str]:
    """Digests of the loaded files of this project; a network's file is among them, others are not."""
    root = Path(__file__).resolve().parents[3]
    loaded = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
    places = {os.path.split(file) for file in loaded if file.startswith(os.sep)}  # some are just a name
    folders = {folder: Path(folder).resolve() for folder in {folder for folder, _ in places}}
    rooms = [root / part for part in ("src", "stages", "studies")]
    ours = {folder for folder, place in folders.items() if any(place.is_relative_to(room) for room in rooms)}
    files = [folders[folder] / name for folder, name in places if folder in ours]
    return {str(file.relative_to(root)): sha256_of(file) for file in files}


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): part for name, part in tensors.items() if name.startswith(prefix)}

"""What a killed training goes on from: its state after the last finished epoch, outside everything that DVC tracks.

.resume/<model>-<key>/state      a line with the SHA-256 of all that follows, a line of JSON, then safetensors
.resume/<model>-<key>/epochs/NN  the model of every epoch, where a study keeps it

The key stands for all that decides the bits: the model's card (data, recipe, seed, split, arithmetic and the rest of
runtime), the code, the packages' versions, and in native arithmetic the machine. So a state is never taken up by a
training that would have come to other weights.
"""

import hashlib
import json
import math
import os
import shutil
import sys
from pathlib import Path

from safetensors.torch import load, save
from torch import Tensor

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of, write_durably
from mnist_pipeline.training import checkpoints
from mnist_pipeline.training.loop import Training
from mnist_pipeline.training.manifest import Card

PROGRESS = ("epoch", "images_seen", "history", "seconds")


class State:
    """The state of the one training that this card describes, in the repository's `.resume/`."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.folder = paths.root() / paths.RESUME / f"{card.model}-{key(card)}"
        self.path = self.folder / "state"
        self.epochs = self.folder / "epochs"

    def restore(self, training: Training) -> None:
        """Bring a fresh training to where the state stands, if there is one; a damaged one is refused and deleted."""
        if not self.path.exists():
            return
        content = _checked(self.path.read_bytes())
        description, _, tensors = (content or b"").partition(b"\n")
        saved = json.loads(description or b"{}")
        if saved.get("epochs") != self._digests():
            self.remove()
            print(f"{self.path}: damaged and deleted; {self.card.model} is trained from its start", file=sys.stderr)
            return
        parts = load(tensors)
        training.network.load_state_dict(_named(parts, "network."), strict=True)
        checkpoints.restore_optimizer(training.optimizer, _named(parts, "optimizer."), saved["optimizer"])
        for name in PROGRESS:
            setattr(training, name, saved[name])
        print(f"{self.card.model} goes on after epoch {training.epoch}: {self.path}", file=sys.stderr)

    def save(self, training: Training) -> None:
        """Keep what the training has reached; whatever happens meanwhile, one whole state stays."""
        study = training.recipe.study
        if study is not None and study.keep_epochs:
            folder = self.epochs / f"{training.epoch:02}"
            checkpoints.save(folder, training.network, training.optimizer, self.card)
            os.sync()  # they are on disk before the state that counts on them
        description = {name: getattr(training, name) for name in PROGRESS}
        description |= {"optimizer": training.optimizer.state_dict()["param_groups"], "epochs": self._digests()}
        tensors = {f"network.{name}": part for name, part in checkpoints.network_tensors(training.network).items()}
        state = checkpoints.optimizer_tensors(training.optimizer)
        tensors |= {f"optimizer.{name}": part for name, part in state.items()}
        content = json.dumps(description).encode() + b"\n" + save(tensors)
        write_durably(self.path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)

    def keep_epochs(self, model: Path) -> None:
        """Copy the models of the epochs, if they were kept, into the folder of the finished one.

        Raises PipelineError when one is missing, which another training of the same model may have taken away.
        """
        study = self.card.recipe.study
        if study is None or not study.keep_epochs:
            return
        expected = [f"{epoch:02}" for epoch in range(1, math.ceil(self.card.recipe.epochs) + 1)]
        found = sorted(path.name for path in self.epochs.glob("*"))
        if found != expected:
            raise PipelineError(
                f"{self.epochs}: expected the models of {len(expected)} epochs, found {found}; run it again"
            )
        shutil.copytree(self.epochs, model / "epochs")

    def _digests(self) -> dict[str, str]:
        """Every file of the epochs' models with its SHA-256."""
        files = [path for path in sorted(self.epochs.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.epochs)): sha256_of(path) for path in files}

    def remove(self) -> None:
        """Forget the state: the training is done, or has to start anew."""
        shutil.rmtree(self.folder, ignore_errors=True)


def key(card: Card) -> str:
    """16 hexadecimal digits for the card, the code that is loaded, what computes, and in studies the test files."""
    test = [] if card.recipe.study is None else [sha256_of(path) for path in (paths.TEST_IMAGES, paths.TEST_LABELS)]
    parts = [card.model_dump(mode="json"), _code(), machine.deciding(card.arithmetic), test]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _code() -> dict[str, str]:
    """Digests of the loaded files of this project; a network's file is among them, others are not."""
    root = Path(__file__).resolve().parents[3]
    loaded = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    places = [Path(file).resolve() for file in loaded if file]
    ours = [file for file in places if file.is_relative_to(root / "src") or file.is_relative_to(root / "stages")]
    return {str(file.relative_to(root)): sha256_of(file) for file in ours}


def _checked(content: bytes) -> bytes | None:
    """What follows the digest, if it is what the digest says."""
    digest, _, rest = content.partition(b"\n")
    return rest if hashlib.sha256(rest).hexdigest().encode() == digest else None


def _named(parts: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): part for name, part in parts.items() if name.startswith(prefix)}

"""Models on disk: weights and optimizer state as safetensors, everything else as JSON beside them. Nothing is pickled.

weights.safetensors has the network's state, optimizer.safetensors the optimizer's tensors, named `<parameter>.<what>`,
optimizer.json its groups and hyperparameters, model.json what the network is and what it was trained on. The pipeline
never reads the optimizer's files again: they are for who trains a model further by hand, with `restore_optimizer`.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialized
from torch import Tensor, nn

from mnist_pipeline import networks
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import whole, write_json
from mnist_pipeline.exact import layers
from mnist_pipeline.training.manifest import Manifest

WEIGHTS, MANIFEST = paths.WEIGHTS, paths.MANIFEST
OPTIMIZER, OPTIMIZER_GROUPS = "optimizer.safetensors", "optimizer.json"


def save(folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, manifest: Manifest) -> None:
    """Write a model whole or not at all: into a folder beside its place, which is then renamed."""
    with whole(folder) as part:
        part.mkdir()
        (part / WEIGHTS).write_bytes(serialized(network_tensors(network)))
        (part / OPTIMIZER).write_bytes(serialized(optimizer_tensors(optimizer)))
        write_json(part / OPTIMIZER_GROUPS, optimizer.state_dict()["param_groups"])
        write_json(part / MANIFEST, manifest.model_dump(mode="json"))
        shutil.rmtree(folder, ignore_errors=True)


def network_tensors(network: nn.Module) -> dict[str, Tensor]:
    """All weights and buffers by name, on the CPU."""
    return _plain(network.state_dict())


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimizer as tensors named `<parameter>.<what>`, on the CPU."""
    state = optimizer.state_dict()["state"]
    tensors = {f"{index}.{what}": value for index, entry in state.items() for what, value in entry.items()}
    return _plain({name: value for name, value in tensors.items() if value is not None})


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


class OtherCodeError(PipelineError):
    """A model that was registered has its network's file beside it, and that is not the one of this tree."""


def load(folder: Path, exact: bool = False) -> tuple[nn.Module, Manifest]:
    """The network of a model, rebuilt from model.json with its weights loaded strictly, on the CPU, in eval mode.

    Its layers may be `exact`. The network is this tree's: a file of it in `folder`, as registered models have it, is
    not run but compared, byte by byte: OtherCodeError. PipelineError when a file is missing, damaged or does not fit.
    """
    manifest = load_manifest(folder)
    ours = networks.source(manifest.recipe.network)
    theirs = folder / ours.name
    if theirs.exists() and not (ours.exists() and networks.text(ours.stem) == theirs.read_bytes()):
        found = f"{ours} {'differs from it' if ours.exists() else 'is not there'}, as this process has it"
        advice = "check out a commit that has the same file, then start this again"
        raise OtherCodeError(f"{theirs}: is the network of these weights; {found}; {advice}")
    network = networks.build(manifest.recipe.network, len(manifest.classes), **manifest.recipe.options)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS, device="cpu"), strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        cause = " ".join(str(error).split())
        raise PipelineError(f"{folder / WEIGHTS}: does not fit network {manifest.recipe.network}: {cause}") from error
    if exact:
        layers.convert(network)
    return network.to(memory_format=torch.channels_last).eval(), manifest


def load_manifest(folder: Path) -> Manifest:
    """What model.json says. Raises PipelineError when there is no such file or it is not one of ours."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        advice = "train it with `make repro`, or get it back with `dvc checkout`"
        raise PipelineError(f"{path}: not found; {advice}") from None
    except ValidationError as error:
        causes = [": ".join([*map(str, one["loc"]), one["msg"]]) for one in error.errors()]
        raise PipelineError(f"{path}: not the manifest of a model: {'; '.join(causes)}") from error


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], groups: list[Any]) -> None:
    """Put optimizer.safetensors and optimizer.json back into an optimizer over the same network."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, what = name.split(".", 1)
        state.setdefault(int(index), {})[what] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, entry in optimizer.state.items():
        for what, tensor in entry.items():
            if tensor.shape == parameter.shape:  # fused steps go wrong unless weights and state lie alike in memory
                entry[what] = torch.empty_like(parameter).copy_(tensor)

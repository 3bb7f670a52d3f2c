"""Networks: a file an architecture, each with a function `network(outputs, **options)`.

Every network takes images of shape (n, 1, 28, 28), scaled floats, and returns logits (n, outputs). ReLU after a
convolution works in place: the same bits in a tenth less time. A new architecture is one new file here and one entry
under `models` in params.yaml. The files are imported by name, so that a stage depends on its own alone, and import
nothing else of this project. Stands on core.
"""

import re
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from mnist_pipeline.core.errors import PipelineError

SHARED = re.compile(rf"^\s*(?:from|import)\s+(?:\.|{__name__.partition('.')[0]}\b).*", re.MULTILINE)


def source(name: str) -> Path:
    """Where the file of a network is, or would be."""
    return Path(__path__[0]) / f"{name}.py"


@cache
def text(name: str) -> bytes:
    """The source of a network with which this process computes: the one of its first use, however it is edited then.

    Raises PipelineError where it imports from this project: neither DVC nor the registry would see that change.
    """
    content = source(name).read_bytes()
    if shared := SHARED.search(content.decode(errors="replace")):
        said = f"found {shared[0].strip()!r}, expected nothing else of this project, since DVC and the registry look at"
        raise PipelineError(f"networks/{name}.py: {said} this file alone; write out here what it needs")
    import_module(f"{__name__}.{name}")
    return content


def build(name: str, outputs: int = 10, /, **options: int | float | bool | str) -> nn.Module:
    """A network with fresh weights and so many outputs. Raises PipelineError for an unknown network or option."""
    if not name.isidentifier() or not source(name).is_file():
        raise PipelineError(f"network {name!r}: there is no file networks/{name}.py in {__path__[0]}")
    try:
        text(name)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Initializing zero-element tensors")
            network: nn.Module = import_module(f"{__name__}.{name}").network(outputs=outputs, **options)
        with torch.inference_mode():
            shape = tuple(network.eval()(torch.zeros(2, 1, 28, 28)).shape)
    except (AttributeError, TypeError, ValueError, RuntimeError, UserWarning) as error:
        raise PipelineError(f"networks/{name}.py: network(**{options}) does not work: {error}") from error
    if shape != (2, outputs):
        raise PipelineError(f"networks/{name}.py: for 2 images expected logits of shape (2, {outputs}), found {shape}")
    return network.train()

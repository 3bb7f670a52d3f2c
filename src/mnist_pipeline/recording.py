"""recorded.json: the machine on which the committed results were made, and how long each stage took there.

Git keeps it beside dvc.lock; DVC does not hash it.
"""

import os
from importlib.metadata import version

from mnist_pipeline import machine, paths
from mnist_pipeline.files import read_json, write_json

WRITERS = ("pandas", "pillow", "safetensors")  # of CSV, PNG and weights
# Each of these changes the weights on the same processor (tried one by one); OMP_NUM_THREADS and the like do not.
SIMULATING = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)


def here() -> dict[str, str]:
    """All that decides the bits outside params.yaml: machine, packages that write files, simulated instructions."""
    settings = {name: os.environ[name] for name in SIMULATING if os.environ.get(name)}
    return machine.describe() | {name: version(name) for name in WRITERS} | settings


def differences(recorded: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Where this machine is not the recorded one: what, how it was recorded, and how it is here."""
    found = here()
    nothing = {name: "not set" if name in SIMULATING else "not recorded" for name in recorded | found}
    before, after = nothing | recorded, nothing | found
    return {name: (before[name], after[name]) for name in nothing if before[name] != after[name]}


def seconds() -> dict[str, float]:
    """Core-seconds of each stage as last recorded: what the longest-first order goes by. Empty without a record."""
    recorded: dict[str, float] = read_json(paths.RECORDED)["core_seconds"] if paths.RECORDED.exists() else {}
    return recorded


def is_this_machine() -> bool:
    """Whether the committed results came from a machine like this one, so that every bit has to agree."""
    return paths.RECORDED.exists() and not differences(read_json(paths.RECORDED)["machine"])


def write(ran: dict[str, float]) -> None:
    """Note this machine and the stages that ran on it; those that did not keep their figure if it came from here."""
    kept = seconds() if is_this_machine() else {}
    write_json(paths.RECORDED, {"machine": here(), "core_seconds": dict(sorted((kept | ran).items()))})

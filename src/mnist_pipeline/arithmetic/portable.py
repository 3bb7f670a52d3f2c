"""Which arithmetic computes: `portable`, with the same bits on every x86-64 Linux machine with AVX2, `native`, `exact`.

Libraries choose their kernels by the processor, and each kernel rounds in an order of its own. Under `portable`,
environment variables hold all of them to AVX2, and Intel's MKL to the one branch that it has for every processor. Each
process proves that first by a canary, a few small operations with a known digest. `exact`: docs/exact.md.
"""

import hashlib
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

from mnist_pipeline.core import params, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.core.params import Arithmetic, Runtime

CPUINFO = Path("/proc/cpuinfo")
PINS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # oneDNN: convolutions
    "MKL_CBWR": "COMPATIBLE",  # MKL: matrix products; its AVX2 branch is refused on AMD's processors, without a word
    "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR",  # numpy's exp, log and the like
    "OPENBLAS_CORETYPE": "Sandybridge",  # numpy's matrix products, and by `kernels` most of torch's
}
LOOSE = (  # each of these, if set, changes the bits of one of the libraries; no arithmetic has them
    "DNNL_CPU_ISA_HINTS",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_ENABLE_CPU_FEATURES",
    "ONEDNN_CPU_ISA_HINTS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "OPENBLAS_L2_SIZE",
)
CANARIES = {"numpy": "536ba570c14c", "torch": "811bdccffd35"}


def pin(runtime: Runtime | None = None) -> None:
    """Set the environment for an arithmetic, or say why it can't be had; PipelineError if numpy or torch came first."""
    runtime = runtime or params.load().runtime
    if runtime.arithmetic == "exact":
        return
    print(notice(runtime), end="", file=sys.stderr)
    pins = pinned(runtime)
    wrong = [name for name in dict.fromkeys((*PINS, *LOOSE, *pins)) if os.environ.get(name) != pins.get(name)]
    early = [name for name in CANARIES if name in sys.modules]
    if wrong and early:
        said = f"{', '.join(wrong)}: to be set or unset before {' and '.join(early)} is imported"
        raise PipelineError(f"{runtime.arithmetic} arithmetic: {said}; call arithmetic.portable.pin first")
    for name in wrong:
        os.environ.pop(name, None)
    os.environ.update(pins)


def pinned(runtime: Runtime) -> dict[str, str]:
    """The environment variables that hold libraries to portable arithmetic, where this machine has it; else none."""
    return PINS | {"OPENBLAS_NUM_THREADS": str(runtime.threads)} if expected(runtime) == "portable" else {}


def obstacle(runtime: Runtime) -> str | None:
    """What keeps this machine or that device from computing portable bits; None if nothing does."""
    if runtime.device != "cpu":
        return f"runtime.device is {runtime.device}"
    if platform.machine() != "x86_64" or not CPUINFO.exists():
        return f"this is {platform.system()} on {platform.machine()}, not Linux on x86-64"
    flags = CPUINFO.read_text(encoding="utf-8").split("flags", 1)[-1].split("\n", 1)[0].split()
    missing = [name for name in ("avx2", "fma") if name not in flags]
    return f"this processor lacks {' and '.join(missing)}" if missing else None


def expected(runtime: Runtime) -> Arithmetic:
    """The arithmetic that this machine uses when asked for the one in `runtime`."""
    return "native" if runtime.arithmetic == "portable" and obstacle(runtime) else runtime.arithmetic


def notice(runtime: Runtime) -> str:
    """A line on why portable arithmetic, though asked for, can't be had here; else nothing."""
    why = obstacle(runtime) if runtime.arithmetic == "portable" else None
    return f"arithmetic: native instead of portable, since {why}; the bits are this machine's own\n" if why else ""


def is_that_of(model: str, runtime: Runtime, folder: Path = Path()) -> bool:
    """Whether a model of the pipeline in this folder was trained in the arithmetic that this machine would use."""
    trained = read_json(folder / paths.manifest(model)).get("arithmetic", "native")
    return bool({"unproven": "portable"}.get(trained, trained) == expected(runtime))


def prove(runtime: Runtime | None = None) -> Arithmetic:
    """The arithmetic that this process computes with. Raises PipelineError when it should be portable and is not."""
    arithmetic = expected(runtime or params.load().runtime)
    if arithmetic == "portable" and "torch" in sys.modules:
        from mnist_pipeline.arithmetic import kernels

        kernels.install()
    for library, digest in CANARIES.items() if arithmetic == "portable" else ():
        found = canary(library) if library in sys.modules else digest
        if found != digest:
            raise PipelineError(
                f"portable arithmetic: {library} computes other bits here: expected a canary of {digest}, found {found}"
                "; another build of it, LD_PRELOAD or GLIBC_TUNABLES may do that. `make setup` installs the right one; "
                "runtime.arithmetic: native in params.yaml does without; a new version has a new digest (README)"
            )
    return arithmetic


@cache
def canary(library: str) -> str:
    """Twelve digits of a SHA-256 over what numpy or torch computes: a convolution, products, sums, exponentials."""
    import numpy as np

    matrix = (np.arange(1, 4097) * 0.37 % 1 - 0.5).reshape(64, 64)
    single = matrix.astype(np.float32)
    found = [single @ single, np.exp(matrix), matrix.sum(axis=1)] if library == "numpy" else _by_torch(single)
    return hashlib.sha256(b"".join(part.tobytes() for part in found)).hexdigest()[:12]


def _by_torch(numbers: Any) -> list[Any]:
    import torch
    from torch.nn import functional

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the bits of a matrix product depend on them
    matrix = torch.from_numpy(numbers)
    images, weights = matrix[:32].reshape(8, 1, 16, 16), matrix.flatten()[:200].reshape(8, 1, 5, 5)
    convolved = functional.conv2d(images.to(memory_format=torch.channels_last), weights, padding=2)
    products = [matrix @ matrix, matrix[:8] @ matrix]  # by numpy and, since it is narrow, by MKL
    found = [convolved.contiguous(), *products, matrix.sum(dim=1), matrix.softmax(dim=1), matrix.exp()]
    torch.set_num_threads(threads)
    return [part.numpy() for part in found]

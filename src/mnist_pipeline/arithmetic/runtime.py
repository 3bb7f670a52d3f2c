"""Device, threads and seeds: everything outside the data and the recipe that decides the bits of a training."""

import ctypes
import os
import platform

import numpy as np
import torch

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Runtime

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of the GNU C library


def configure(runtime: Runtime) -> torch.device:
    """Set threads and deterministic kernels; PipelineError if device or arithmetic are not to be had as asked for."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available[runtime.device]:
        there = ", ".join(name for name, there in available.items() if there)
        raise PipelineError(f"params.yaml: runtime.device: {runtime.device} is not there; this machine has: {there}")
    portable.prove(runtime)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS refuses to be deterministic
    torch.set_num_threads(runtime.threads)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms imports the compiler: a second a stage
    # Only a guard for programs that read memory before they write it, and it costs time at every allocation:
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # What glibc gives back comes again as pages to be zeroed, at every step: large networks were up to a fifth slower.
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, 1 << 30)
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the most that it accepts
    return torch.device(runtime.device)


def seed(value: int, epoch: int) -> None:
    """Seed torch's generators for one epoch (0: initialisation), so that an epoch's draws depend on no other epoch."""
    torch.manual_seed(int(np.random.SeedSequence([value, epoch]).generate_state(1, np.uint64)[0]))

"""Device, threads and seeds: a device that is not there is refused, draws depend on seed and epoch alone."""

from collections.abc import Iterator

import pytest
import torch

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Runtime


@pytest.fixture
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    torch.set_deterministic_debug_mode("default")


@pytest.mark.usefixtures("_restored")
def test_threads_and_deterministic_kernels_are_set() -> None:
    assert runtime.configure(Runtime(device="cpu", threads=2)) == torch.device("cpu")
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.usefixtures("_restored")
def test_a_device_that_is_not_there_is_refused() -> None:
    absent = "cuda" if torch.backends.mps.is_available() else "mps"  # no machine has both
    with pytest.raises(PipelineError, match=rf"runtime\.device: {absent} is not there; this machine has: cpu"):
        runtime.configure(Runtime.model_validate({"device": absent, "threads": 1}))


def drawn(seed: int, epoch: int) -> float:
    runtime.seed(seed, epoch)
    return float(torch.rand(1))


def test_draws_depend_on_seed_and_epoch_and_on_nothing_else() -> None:
    first = drawn(1, 2)
    assert drawn(1, 2) == first
    assert len({drawn(seed, epoch) for seed in range(5) for epoch in range(5)}) == 25

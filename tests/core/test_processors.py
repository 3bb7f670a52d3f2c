"""How many cores are counted: those that this process may run on, as far as its container's quota goes."""

import os
from pathlib import Path

import pytest

from mnist_pipeline.core import processors
from mnist_pipeline.core.params import Runtime


@pytest.mark.parametrize(
    ("allowed", "limit", "cores"),
    [
        (8, None, 8),
        (8, "max 100000", 8),
        (8, "400000 100000", 4),
        (8, "250000 100000", 2),
        (8, "50000 100000", 1),
        (2, "400000 100000", 2),
    ],
)
def test_affinity_and_quota_both_count(
    allowed: int, limit: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)))
    monkeypatch.setattr(processors, "CPU_MAX", tmp_path / "cpu.max")
    if limit is not None:
        (tmp_path / "cpu.max").write_text(f"{limit}\n", encoding="ascii")
    assert processors.cores() == cores
    assert Runtime(device="cpu", threads=2).default_jobs() == max(1, cores // 2)


def test_this_process_has_cores_that_it_may_use() -> None:
    assert 1 <= processors.cores() <= len(os.sched_getaffinity(0))

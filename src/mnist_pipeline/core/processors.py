"""How many cores this process may use."""

import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of processor time in a period of so many


def cores() -> int:
    """Whole cores, at least 1, that this process's affinity and the quota of its container leave it."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    allowed = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, period = CPU_MAX.read_text(encoding="ascii").split() if CPU_MAX.exists() else ("max", "1")
    return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))

"""Which machine a result came from, as far as it decides native bits: processor, instructions, system, versions."""

import hashlib
import platform
import re
from pathlib import Path

from mnist_pipeline.arithmetic import packages

CPUINFO = Path("/proc/cpuinfo")


def describe() -> dict[str, str]:
    """Two machines that are described alike are promised the same bits, also in native arithmetic."""
    system = f"{platform.system()} {platform.machine()}"
    python = ".".join(platform.python_version_tuple()[:2])
    return {"system": system, **_processor(), "python": python, **packages.installed()}


def deciding(arithmetic: str) -> dict[str, str]:
    """What decides bits besides the inputs that params.yaml has: in portable arithmetic the versions alone."""
    return packages.installed() if arithmetic == "portable" else describe()


def _processor() -> dict[str, str]:
    """Vendor, model and cache from the kernel, and a digest of what instructions there are; else what Python says."""
    if not CPUINFO.exists():
        return {"processor": platform.processor()}
    first = CPUINFO.read_text(encoding="utf-8").split("\n\n")[0]
    fields: dict[str, str] = dict(re.findall(r"^(.+?)\s*: (.*)$", first, flags=re.MULTILINE))
    identity = [fields.get(key, "?") for key in ("model name", "cpu family", "model", "stepping")]
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    widest = next((name for name in ("amx_tile", "avx512f", "avx2", "asimd") if name in flags), "baseline")
    return {
        "processor": "{} (family {}, model {}, stepping {})".format(*identity),
        "cache": fields.get("cache size", "?"),
        "instructions": f"{widest} {hashlib.sha256(' '.join(sorted(flags)).encode()).hexdigest()[:12]}",
    }

"""Which machine a result came from, as far as it decides the bits: processor, instruction set, system, versions."""

import hashlib
import platform
import re
from importlib.metadata import version
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
DECIDING = ("torch", "numpy", "matplotlib")


def describe() -> dict[str, str]:
    """Two machines that are described alike are promised the same bits; others only the tolerance in the README."""
    versions = {name: version(name).split("+")[0] for name in DECIDING}
    return {"system": f"{platform.system()} {platform.machine()}", **_processor(), "python": _python(), **versions}


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


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

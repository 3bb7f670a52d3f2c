"""Which machine a result came from, as far as it decides native bits: processor, accelerator, system, versions."""

import hashlib
import platform
import re
import subprocess
from contextlib import suppress
from pathlib import Path

from mnist_pipeline.arithmetic import packages

CPUINFO = Path("/proc/cpuinfo")
GPUS = Path("/proc/driver/nvidia/gpus")  # each as NVIDIA's driver names it
APPLE = ("sysctl", "-n", "machdep.cpu.brand_string")  # such as Apple M2 Pro; to Python all of them are `arm`


def describe() -> dict[str, str]:
    """Two machines that are described alike are promised the same bits, also in native arithmetic."""
    system = f"{platform.system()} {platform.machine()} {platform.mac_ver()[0]}".rstrip()  # macOS brings its own BLAS
    said = [file.read_text(encoding="utf-8") for file in sorted(GPUS.glob("*/information"))]
    models = [name for text in said for name in re.findall(r"^Model:\s*(.+)$", text, flags=re.MULTILINE)]
    accelerator = {"accelerator": ", ".join(models)} if models else {}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"system": system, **_processor(), **accelerator, "python": python, **packages.builds()}


def deciding(arithmetic: str) -> dict[str, str]:
    """What decides bits besides the inputs that params.yaml has: nothing, or the versions, or all of the machine."""
    if arithmetic == "exact":
        return {}
    return packages.installed() if arithmetic == "portable" else describe()


def _processor() -> dict[str, str]:
    """Vendor, model and cache from the kernel, and a digest of what instructions there are; else what Python says."""
    if not CPUINFO.exists():
        with suppress(OSError, subprocess.CalledProcessError):
            return {"processor": subprocess.run(APPLE, capture_output=True, text=True, check=True).stdout.strip()}
        return {"processor": platform.processor()}
    first = CPUINFO.read_text(encoding="utf-8").split("\n\n")[0]
    fields: dict[str, str] = dict(re.findall(r"^(.+?)\s*: (.*)$", first, flags=re.MULTILINE))
    if "CPU part" in fields:  # ARM's have numbers alone
        numbers = [f"{key} {fields.get(f'CPU {key}', '?')}" for key in ("implementer", "variant", "part", "revision")]
        model = f"ARM ({', '.join(numbers)})"
    else:
        identity = [fields.get(key, "?") for key in ("model name", "cpu family", "model", "stepping")]
        model = "{} (family {}, model {}, stepping {})".format(*identity)
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    widest = next((name for name in ("amx_tile", "avx512f", "avx2", "asimd") if name in flags), "baseline")
    return {
        "processor": model,
        "cache": fields.get("cache size", "?"),
        "instructions": f"{widest} {hashlib.sha256(' '.join(sorted(flags)).encode()).hexdigest()[:12]}",
    }

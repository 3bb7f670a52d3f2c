"""Ways to start Python: as it is, with MKL as on Intel's processors, with another C library, under an emulator."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.repository import ROOT, environment

EMULATOR = ROOT / ".emulator"
LIBRARIES = EMULATOR / "usr" / "lib" / "x86_64-linux-gnu"
QEMU, QEMU_ARM = (str(EMULATOR / "usr" / "bin" / f"qemu-{name}") for name in ("x86_64", "aarch64"))
ARM = EMULATOR / "arm"
PYTHON, PACKAGES = Path(sys.executable).resolve(), sysconfig.get_path("purelib")
SECONDS = 7200
AS_INTEL = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"  # MKL asks this before it takes Intel's branches


@dataclass(frozen=True)
class Machine:
    """How a row is called, what stands before Python on the command line, what is added to environment and `runtime`.

    Python is the real interpreter, not the link in .venv: an emulator hands nothing that it starts over to itself.
    """

    how: str
    before: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, Any] = field(default_factory=dict)
    python: Path = PYTHON
    packages: str = PACKAGES

    @property
    def native(self) -> bool:
        """Whether this is the row that has to differ."""
        return self.runtime.get("arithmetic") == "native"

    def run(self, arguments: list[str], folder: Path) -> str:
        """What Python prints when it is started so. Raises CalledProcessError when it fails."""
        places = [str(ROOT / "src"), str(ROOT), self.packages]
        variables = environment(PYTHONPATH=os.pathsep.join(places), **self.variables)
        command = [*self.before, str(self.python), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, check=True, timeout=SECONDS
        )
        return done.stdout


def real_ones() -> list[Machine]:
    """This processor: the first row, with which all are compared; as Intel's; with Debian 13's C library; unpinned."""
    library = str(LIBRARIES / "ld-linux-x86-64.so.2"), "--library-path", str(LIBRARIES)
    return [
        Machine("real"),
        Machine("real, MKL as on Intel", variables={"LD_PRELOAD": str(_as_intel())}),
        Machine("real, another C library", library),
        Machine("real, without the pins", runtime={"arithmetic": "native"}),
    ]


def _as_intel() -> Path:
    """A library that makes MKL take any processor for one of Intel's; built with a C compiler beside the emulator."""
    library = EMULATOR / "as_intel.so"
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-o", str(library), "-"]
    subprocess.run(command, input=AS_INTEL, text=True, check=True, stderr=subprocess.PIPE)
    return library


EMULATED = [
    Machine(f"emulated {name}", (QEMU, "-cpu", name))
    for name in ("Haswell-noTSX", "EPYC", "Skylake-Client-noTSX-IBRS", "EPYC-Milan")
]


def arm(name: str) -> Machine:
    """An emulated processor of ARM's, with the Python that `.ci/arm` unpacks."""
    libraries = os.pathsep.join(str(ARM / part / "aarch64-linux-gnu") for part in ("lib", "usr/lib"))
    return Machine(
        f"emulated {name}",
        (QEMU_ARM, "-cpu", name, "-L", str(ARM)),
        {"PYTHONHOME": str(ARM / "usr"), "LD_LIBRARY_PATH": libraries},
        python=ARM / "usr" / "bin" / "python3.11",
        packages=str(ARM / "wheels"),
    )

"""Ways to start Python: as it is, with MKL as on Intel's processors, with another C library, under an emulator."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from tests.repository import ROOT, environment

EMULATOR = ROOT / ".emulator"
LIBRARIES = EMULATOR / "usr" / "lib" / "x86_64-linux-gnu"
QEMU = str(EMULATOR / "usr" / "bin" / "qemu-x86_64")
SECONDS = 3600
AS_INTEL = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"  # MKL asks this before it takes Intel's branches


@dataclass(frozen=True)
class Machine:
    """How a row is called, what stands before Python on the command line, and what is added to the environment."""

    how: str
    before: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    pinned: bool = True

    def run(self, arguments: list[str], folder: Path) -> str:
        """Start the real interpreter, not the link in .venv: an emulator hands nothing that it starts over to itself.

        Returns what was printed. Raises CalledProcessError when it fails.
        """
        command = [*self.before, str(Path(sys.executable).resolve()), *arguments]
        places = [str(ROOT / "src"), str(ROOT), sysconfig.get_path("purelib")]
        variables = environment(PYTHONPATH=os.pathsep.join(places), **self.variables)
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
        Machine("real, without the pins", pinned=False),
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

"""The same bits on any processor, library, version of torch and number of threads: a row each, as in tests.portable.

Run: make test-exact; `--short` as `.ci/run` does, `--write` to write digests.json anew. The files of one whole training
have to be those of studies/exact/dvc.lock. Where `.ci/arm` could get no wheels for ARM, the short form goes without it.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import files, tables
from tests import golden
from tests.portable import machines
from tests.portable.machines import EMULATED, Machine, arm, real_ones
from tests.portable.rows import Row, digest, faults, first_steps, rows_of, run_stage, use_real_mnist, write_params
from tests.repository import ROOT

STUDY = ROOT / "studies" / "exact"
PARAMS = YAML(typ="safe").load(STUDY / "params.yaml")
DIGESTS = ROOT / "tests" / "exact_machines" / "digests.json"
MODEL = "mlp_28"  # trained whole
TRACKED = lockfile.load(STUDY / lockfile.LOCK).results(MODEL)
OTHERS = [
    Machine("real", runtime={"threads": 2}),
    Machine("real", runtime={"threads": 4}),
    Machine("real, pinned as portable arithmetic is", variables=portable.PINS),
    Machine("real, torch held to AVX2", variables={"ATEN_CPU_CAPABILITY": "avx2"}),
    Machine("real, torch held to SSE", variables={"ATEN_CPU_CAPABILITY": "default"}),
    Machine("real, native arithmetic", runtime={"arithmetic": "native"}),
]
ARM = [arm("neoverse-n1"), arm("neoverse-v1")]  # without and with vectors of 256 bits (SVE)


def whole_training(machine: Machine, folder: Path) -> Row:
    """The md5 of everything that DVC tracks of one model's training and evaluation, by path."""
    write_params(folder, PARAMS, machine)
    use_real_mnist(folder)
    for stage in ("train", "evaluate"):
        run_stage(machine, folder, stage, MODEL)
    return {"files": {path: lockfile.md5(folder / path) for path in TRACKED}}


def cells(found: Row) -> dict[str, Any]:
    """A row as people read it."""
    machine = found["machine"]
    return {
        "processor": found["processor"],
        "how": f"{machine.how}, {found['libc']}",
        "torch, its kernels": found["torch"],
        "threads": machine.runtime.get("threads", 1),
        "first steps": digest(found["steps"]),
        f"{MODEL}, whole": digest(found["files"]) if "files" in found else None,
    }


def main(*options: str) -> int:
    short = "--short" in options
    emulated = ARM[: int(machines.ARM.is_dir())] if short else [*EMULATED[:2], *ARM]
    if not emulated:
        print("no row for ARM: its Python could not be had; .ci/arm says why, above")
    real = [real_ones()[0], *OTHERS[-2:]] if short else [*real_ones()[:3], *OTHERS]
    steps = partial(first_steps, content=PARAMS, models=["cnn_fast"] if short else list(PARAMS["models"]))

    def whole(machine: Machine, folder: Path) -> Row:
        return {} if short and machine in emulated else whole_training(machine, folder)

    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        golden.verify_real_mnist()
        rows = rows_of([*real, *emulated], whole, steps)
        os.chdir(ROOT)
    print(tables.markdown([cells(found) for found in rows]))
    if "--write" in options:
        files.write_json(DIGESTS, rows[0]["steps"])
    said = faults(rows, {"steps": files.read_json(DIGESTS), "files": TRACKED})
    print("\n".join(said) or "in exact arithmetic every digest is the known one, in native arithmetic some are others")
    return 1 if said else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {error}\n{error.stderr}")

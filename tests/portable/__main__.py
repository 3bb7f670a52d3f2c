"""The same bits on other processors: one row a processor, and every digest has to be that of the first.

Run: make test-portable; with --short as `.ci/run` does. Without the pins a row has to differ, or nothing was proved.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist_pipeline import tables
from tests import golden, synthetic
from tests.portable.machines import EMULATED, Machine, real_ones
from tests.repository import ROOT

STEPS = 3
QUICK = ["mlp_28", "mlp_128_64", "cnn_avgpool", "cnn_fast", "convnet"]  # an emulator takes seconds for them
MODELS = {
    "plain": synthetic.recipe(),
    "augmented": synthetic.recipe(
        network="cnn_separable",
        augmentation={"rotation": 10.0, "translation": 0.1, "scale": 0.1, "shear": 5.0},
        optimizer={"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
        label_smoothing=0.1,
    ),
}
STAGES = [
    ("verify",),
    *((stage, model) for model in MODELS for stage in ("train", "evaluate")),
    ("report",),
]
Row = dict[str, Any]


def small_pipeline(machine: Machine, folder: Path) -> str:
    """One digest over every file that the stages from `verify` to `report` leave of a small data set."""
    published = folder / "data" / "raw"
    synthetic.write(published)
    content = synthetic.params(synthetic.data_params(published, ["nowhere"]), models=MODELS)
    _write_params(folder, content, machine)
    for stage, *arguments in STAGES:
        machine.run([str(ROOT / "stages" / f"{stage}.py"), *arguments], folder)
    files = sorted(path for part in ("data/idx", "models", "metrics", "results") for path in (folder / part).rglob("*"))
    digests = {path.relative_to(folder).as_posix(): _sha256(path) for path in files if path.is_file()}
    return f"{hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:12]}, {len(digests)} files"


def first_steps(machine: Machine, folder: Path, models: list[str]) -> Row:
    """What `subject` prints: this processor, and digests of operators and of each recipe's weights after some steps."""
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    _write_params(folder, content, machine)
    (folder / "data").symlink_to(Path("data").resolve())
    return dict(json.loads(machine.run(["-m", "tests.portable.subject", str(STEPS), *models], folder)))


def _write_params(folder: Path, content: Any, machine: Machine) -> None:
    content["runtime"]["arithmetic"] = "portable" if machine.pinned else "native"
    YAML().dump(content, folder / "params.yaml")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def row(machine: Machine, models: list[str]) -> Row:
    """All that is compared of one processor."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        found = first_steps(machine, Path(one), models)
        return found | {"machine": machine, "pipeline": small_pipeline(machine, Path(other))}


def faults(rows: list[Row]) -> list[str]:
    """What breaks the promise: a pinned row that differs from the first, or one without pins that does not."""
    first, said = rows[0], []
    for found in rows[1:]:
        names = [name for name in first["operators"] if found["operators"][name] != first["operators"][name]]
        names += [name for name, digest in found["steps"].items() if first["steps"][name] != digest]
        names += ["small pipeline"] if found["pipeline"] != first["pipeline"] else []
        if names and found["machine"].pinned:
            said.append(f"{found['processor']}, {found['machine'].how}: other bits: {', '.join(names)}")
        if not names and not found["machine"].pinned:
            said.append("the row without pins has the same bits, so this run proves nothing")
    return said


def cells(found: Row) -> dict[str, str]:
    """A row as people read it."""
    steps = hashlib.sha256(json.dumps(found["steps"], sort_keys=True).encode()).hexdigest()[:12]
    operators = hashlib.sha256(json.dumps(found["operators"], sort_keys=True).encode()).hexdigest()[:12]
    return {
        "processor, as CPUID says": found["processor"],
        "how": f"{found['machine'].how}, {found['libc']}",
        f"{len(found['operators'])} operators": operators,
        f"{STEPS} steps of {len(found['steps'])} recipes": steps,
        "small pipeline, verify to report": found["pipeline"],
    }


def main(short: bool) -> int:
    machines = [*real_ones(), *(EMULATED[:1] if short else EMULATED)]
    models = QUICK if short else list(golden.shipped()["."].models)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        os.chdir(name)
        golden.real_training_set(golden.shipped()["."])
        rows = list(pool.map(lambda machine: row(machine, models), machines))
        os.chdir(ROOT)
    print(tables.markdown([cells(found) for found in rows]))
    said = faults(rows)
    print("\n".join(said) or "every digest is that of the first row; without the pins it is another")
    return 1 if said else 0


if __name__ == "__main__":
    try:
        sys.exit(main("--short" in sys.argv))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.stderr}")

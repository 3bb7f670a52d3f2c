"""The same bits on other processors: a row a processor, and every digest has to be the one in digests.json.

Run: make test-portable; `--short` as `.ci/run` does, `--write` to write digests.json anew. Without the pins a row has
to differ, or nothing was proved.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import files, params, tables
from tests import golden, synthetic
from tests.portable.machines import EMULATED, Machine, real_ones
from tests.repository import ROOT

DIGESTS = ROOT / "tests" / "portable" / "digests.json"
STEPS = 3
QUICK = ["mlp_28", "mlp_128_64", "cnn_avgpool", "cnn_fast"]  # an emulator takes seconds for them
MODELS = {
    "plain": synthetic.recipe(),
    "augmented": synthetic.recipe(
        network="cnn_separable",
        augmentation={"rotation": 10.0, "translation": 0.1, "scale": 0.1, "shear": 5.0},
        optimizer={"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
        label_smoothing=0.1,
    ),
}
PARTS = ("operators", "steps", "files")
SIDE_BY_SIDE = ("train", "evaluate")
Row = dict[str, Any]


def small_pipeline(machine: Machine, folder: Path) -> dict[str, str]:
    """Digests of every file that the stages from `verify` to `report` leave of a small data set, by path."""
    published = folder / "data" / "raw"
    synthetic.write(published)
    content = synthetic.params(synthetic.data_params(published, ["nowhere"]), models=MODELS)
    _write_params(folder, content, machine)
    with ThreadPoolExecutor(len(MODELS)) as pool:
        for stages in (["verify"], *([f"{stage} {model}" for model in MODELS] for stage in SIDE_BY_SIDE), ["report"]):
            list(pool.map(lambda stage: _run_stage(machine, folder, *stage.split()), stages))
    made = sorted(path for part in ("data/idx", "models", "metrics", "results") for path in (folder / part).rglob("*"))
    return {path.relative_to(folder).as_posix(): files.sha256_of(path)[:12] for path in made if path.is_file()}


def _run_stage(machine: Machine, folder: Path, stage: str, *arguments: str) -> None:
    machine.run([str(ROOT / "stages" / f"{stage}.py"), *arguments], folder)


def first_steps(machine: Machine, folder: Path, models: list[str]) -> Row:
    """What `subject` prints: this processor, and digests of operators and of each recipe's weights after some steps."""
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    _write_params(folder, content, machine)
    (folder / "data").symlink_to(Path("data").resolve())
    return dict(json.loads(machine.run(["-m", "tests.portable.subject", str(STEPS), *models], folder)))


def _write_params(folder: Path, content: Any, machine: Machine) -> None:
    content["runtime"]["arithmetic"] = "portable" if machine.pinned else "native"
    YAML().dump(content, folder / "params.yaml")


def rows_of(machines: list[Machine], models: list[str]) -> list[Row]:
    """All that is compared of each, in folders of their own; the emulated ones, which take long, first."""

    def emptied(compute: Callable[..., Row], machine: Machine, *arguments: Any) -> Row:
        with tempfile.TemporaryDirectory() as name:
            return compute(machine, Path(name), *arguments)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = {one.how: pool.submit(emptied, small_pipeline, one) for one in machines[::-1]}
        stepped = {one.how: pool.submit(emptied, first_steps, one, models) for one in machines[::-1]}
        return [stepped[one.how].result() | {"machine": one, "files": made[one.how].result()} for one in machines]


def faults(rows: list[Row], expected: Row) -> list[str]:
    """What breaks the promise: a pinned row with another digest, or a row without pins that has all the same."""
    said = []
    for found in rows:
        pinned = found["machine"].pinned
        parts = PARTS if pinned else PARTS[:2]  # in its files native arithmetic is named, so they differ anyway
        others = [name for part in parts for name, is_ in found[part].items() if expected[part].get(name) != is_]
        if others and pinned:
            said.append(f"{found['processor']}, {found['machine'].how}: other bits: {', '.join(others)}")
        if not others and not pinned:
            said.append("the row without pins has the same bits, so this run proves nothing")
    return said


def cells(found: Row) -> dict[str, str]:
    """A row as people read it."""
    digests = {f"{len(found[part])} {part}": _digest(found[part]) for part in PARTS}
    where = {"processor, as CPUID says": found["processor"], "how": f"{found['machine'].how}, {found['libc']}"}
    return where | dict(zip(("operators", "first steps", "small pipeline"), digests.values(), strict=True))


def _digest(content: dict[str, str]) -> str:
    return f"{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]} ({len(content)})"


def main(*options: str) -> int:
    why = portable.obstacle(params.load().runtime)
    if why is not None:
        print(f"portable arithmetic can't be had here: {why}")
        return 0
    machines = [*real_ones(), *(EMULATED[:1] if "--short" in options else EMULATED)]
    models = QUICK if "--short" in options else list(golden.shipped()["."].models)
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        golden.verify_real_mnist()
        rows = rows_of(machines, models)
        os.chdir(ROOT)
    print(tables.markdown([cells(found) for found in rows]))
    if "--write" in options:
        files.write_json(DIGESTS, {part: rows[0][part] for part in PARTS})
    said = faults(rows, files.read_json(DIGESTS))
    print("\n".join(said) or "with the pins every digest is the known one, without them some are others")
    return 1 if said else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {error}\n{error.stderr}")

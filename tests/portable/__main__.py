"""The same bits on other processors: a row a processor, and every digest has to be the one in digests.json.

Run: make test-portable; `--short` as `.ci/run` does, `--write` to write digests.json anew. Without the pins a row has
to differ, or nothing was proved.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from ruamel.yaml import YAML

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import files, params, tables
from tests import golden, synthetic
from tests.portable.machines import EMULATED, Machine, real_ones
from tests.portable.rows import Row, digest, faults, first_steps, rows_of, run_stage, write_params
from tests.repository import ROOT

DIGESTS = ROOT / "tests" / "portable" / "digests.json"
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


def small_pipeline(machine: Machine, folder: Path) -> Row:
    """Digests of every file that the stages from `verify` to `report` leave of a small data set, by path."""
    published = folder / "data" / "raw"
    synthetic.write(published)
    write_params(folder, synthetic.params(synthetic.data_params(published, ["nowhere"]), models=MODELS), machine)
    with ThreadPoolExecutor(len(MODELS)) as pool:
        for stages in (["verify"], *([f"{stage} {model}" for model in MODELS] for stage in SIDE_BY_SIDE), ["report"]):
            list(pool.map(lambda stage: run_stage(machine, folder, *stage.split()), stages))
    made = sorted(path for part in ("data/idx", "models", "metrics", "results") for path in (folder / part).rglob("*"))
    digests = {path.relative_to(folder).as_posix(): files.sha256_of(path)[:12] for path in made if path.is_file()}
    return {"files": digests}


def cells(found: Row) -> dict[str, str]:
    """A row as people read it."""
    where = {"processor, as CPUID says": found["processor"], "how": f"{found['machine'].how}, {found['libc']}"}
    names = ("operators", "first steps", "small pipeline")
    return where | {name: digest(found[part]) for name, part in zip(names, PARTS, strict=True)}


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
        content = YAML(typ="safe").load(ROOT / "params.yaml")
        rows = rows_of(machines, small_pipeline, partial(first_steps, content=content, models=models))
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

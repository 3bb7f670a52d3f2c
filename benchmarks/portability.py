"""What portable arithmetic costs: the whole training of each recipe in both arithmetics, side by side, a core each."""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks import report
from mnist_pipeline.core import params, paths, tables
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline import commands

LIMIT = 1.3
STAGE = Path("stages/train.py").resolve()
TEXT = """Core-seconds of the stage `train`, imports included: the whole training of each recipe in native and in
portable arithmetic, both at the same time, on a core each. Portable arithmetic does without AVX-512, and its products
of matrices without fused multiplications and additions."""


def run() -> str:
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        folders = [_folder(Path(name) / which, which) for which in ("native", "portable")]
        pairs = {model: list(pool.map(_train, [model] * 2, folders)) for model in params.load().models}
    pairs["together"] = [sum(seconds) for seconds in zip(*pairs.values(), strict=True)]
    rows = [
        {"recipe": model, "native, s": f"{native:.1f}", "portable, s": f"{other:.1f}", "ratio": f"{other / native:.2f}"}
        for model, (native, other) in pairs.items()
    ]
    native, portable = pairs["together"]
    verdict = report.verdict("all together, portable / native", portable / native, at_most=LIMIT)
    return "\n\n".join([TEXT, tables.markdown(rows), verdict])


def _folder(folder: Path, which: str) -> Path:
    folder.mkdir()
    content = YAML(typ="safe").load(paths.PARAMS)
    content["runtime"]["arithmetic"] = which
    YAML().dump(content, folder / paths.PARAMS)
    (folder / "data").symlink_to(Path("data").resolve())
    return folder


def _train(model: str, folder: Path) -> float:
    work = commands.Work(model, [sys.executable, STAGE, model], folder)
    ran = commands.Commands(folder / paths.LOGS).run(work)
    if ran.code:
        raise PipelineError(f"train {model}: {ran.output}")
    return ran.core_seconds

"""What training and evaluation import is what they need: half of the processor time of short ones goes into that."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests import synthetic
from tests.repository import ROOT, environment

STAGE = (
    "import atexit, runpy, sys; del sys.argv[0]; sys.path.insert(0, sys.argv[0].rpartition('/')[0]); "
    "atexit.register(lambda: print(*sorted({'pandas', 'sympy', 'torch._dynamo'} & sys.modules.keys()))); "
    "runpy.run_path(sys.argv[0])"
)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_neither_pandas_nor_torchs_compiler_is_loaded(optimizer: str, workspace: Path, published: Path) -> None:
    spec = synthetic.recipe(optimizer={"name": optimizer, "learning_rate": 0.01})
    content = synthetic.params(synthetic.data_params(published, [str(published)]), models={"small": spec})
    YAML(typ="safe").dump(content, workspace / "params.yaml")
    for stage, output in (("train", "models/small/weights.safetensors"), ("evaluate", "metrics/models/small.json")):
        command = [sys.executable, "-c", STAGE, str(ROOT / f"stages/{stage}.py"), "small"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
        assert (workspace / output).is_file()
        assert done.stdout == "\n"

"""What a training imports is what it needs: half of the processor time of a short one goes into that."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests import synthetic
from tests.repository import ROOT, environment

STAGE = (
    "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv[:] = ['train.py', 'small']; "
    f"runpy.run_path({str(ROOT / 'stages/train.py')!r}); "
    "print(*sorted({'pandas', 'sympy', 'torch._dynamo'} & sys.modules.keys()))"
)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_neither_pandas_nor_torchs_compiler_is_loaded(optimizer: str, workspace: Path, published: Path) -> None:
    spec = synthetic.recipe(optimizer={"name": optimizer, "learning_rate": 0.01})
    content = synthetic.params(synthetic.data_params(published, [str(published)]), models={"small": spec})
    YAML(typ="safe").dump(content, workspace / "params.yaml")
    command = [sys.executable, "-c", STAGE, str(ROOT / "stages")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert (workspace / "models/small/weights.safetensors").is_file()
    assert done.stdout == "\n"

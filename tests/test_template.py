"""Without the rooms that the README calls removable, plain DVC builds everything and the tests of the wall pass."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT, Repository, environment
from tests.test_layers import WALL

ROOMS = ("compare", "proof", "report", "pictures", "app", "doctor")
COMMANDS = "conveniences"  # the file of `cli` that needs these rooms
TESTS = ("test_layers.py", "test_graph.py", "test_reproducibility.py", *WALL)


@pytest.mark.long
def test_a_template_without_what_is_removable(project: Repository, tmp_path: Path) -> None:
    template = Repository(tmp_path / "template")
    package = template.path / "src" / "mnist_pipeline"
    for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        (template.path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, template.path / name)
    for room in ROOMS:
        shutil.rmtree(package / room)
        shutil.rmtree(template.path / "tests" / room)
    (package / "cli" / f"{COMMANDS}.py").unlink()
    program = package / "cli" / "program.py"
    text = program.read_text("utf-8").replace(f"import {COMMANDS}, models", "import models")
    program.write_text(text.replace(f"(models, {COMMANDS})", "(models,)"), "utf-8")

    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", *(f"tests/{name}" for name in TESTS)]
    variables = environment(PYTHONPATH=str(template.path / "src"))
    tested = subprocess.run(command, cwd=template.path, env=variables, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout

    template.run("git", "init", "--quiet")
    (template.path / "dvc.lock").unlink()
    for results in ("metrics", "results"):  # of other models
        shutil.rmtree(template.path / results)
    template.write_params(project.params())
    template.run("dvc", "repro")
    assert template.published()["versions"] == 2
    assert "plain" in template.run("mnist", "leaderboard")

"""docs/template.md, followed in a copy: without the rooms that may go, and renamed, with other data and one network."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_pipeline.core import paths
from tests import synthetic
from tests.repository import ROOT, Repository, environment
from tests.test_layers import WALL

ROOMS = ("compare", "proof", "report", "pictures", "app", "doctor")
COMMANDS = "conveniences"  # the file of `cli` that needs these rooms
RESULTS = ("metrics", "results")  # of other models
MNIST = ("studies", "tests/studies", "benchmarks", "data/archive/mnist")
TESTS = ("test_layers.py", "test_graph.py", "test_reproducibility.py", *WALL)
PACKAGE = "mnist_pipeline"
NETWORK = '''"""One linear layer."""

from torch import nn


def network(outputs: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, outputs))
'''


@pytest.fixture
def template(tmp_path: Path) -> Repository:
    """A copy of the tracked files without what may go."""
    copy = Repository(tmp_path / "template")
    package = copy.path / "src" / PACKAGE
    for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        (copy.path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy.path / name)
    for room in ROOMS:
        shutil.rmtree(package / room)
        shutil.rmtree(copy.path / "tests" / room)
    (package / "cli" / f"{COMMANDS}.py").unlink()
    program = package / "cli" / "program.py"
    text = program.read_text("utf-8").replace(f"import {COMMANDS}, models", "import models")
    program.write_text(text.replace(f"(models, {COMMANDS})", "(models,)"), "utf-8")
    copy.run("git", "init", "--quiet")
    return copy


@pytest.mark.long
def test_a_template_without_what_is_removable(template: Repository, project: Repository) -> None:
    runs = _programs(template)
    runs("python", "-m", "pytest", "-q", "-n", "2", *(f"tests/{name}" for name in TESTS))
    _forget(template, *RESULTS)
    template.write_params(project.params())
    runs("dvc", "repro")
    assert template.published()["versions"] == 2
    assert "plain" in runs("mnist", "leaderboard")


@pytest.mark.long
def test_a_template_renamed_with_other_data_and_one_network(template: Repository) -> None:
    _forget(template, *RESULTS, *MNIST)
    archive = template.path / "data" / "archive" / "letters"
    synthetic.write(archive)
    (archive / "README.md").write_text("Made by a test.\n", encoding="utf-8")
    (template.path / "src" / PACKAGE / "networks" / "linear.py").write_text(NETWORK, encoding="utf-8")
    data = synthetic.data_params(archive, ["data/archive/letters"]) | {"name": "letters"}
    template.write_params(synthetic.params(data, models={"linear": synthetic.recipe(network="linear")}))
    params = template.path / paths.PARAMS
    params.write_text(f"# yaml-language-server: $schema={paths.SCHEMA}\n{params.read_text('utf-8')}", "utf-8")
    template.run("git", "add", "--all")
    page = (ROOT / "docs" / "template.md").read_text(encoding="utf-8")
    renaming = re.findall(r"^\$ (git grep .*)", page, flags=re.MULTILINE)
    assert len(renaming) == 2
    template.run("sh", "-ec", "\n".join(renaming))

    runs = _programs(template)
    runs("ruff", "check", "--fix", "--quiet", ".")
    runs("ruff", "format", "--quiet", ".")
    assert runs("mnist", "schema").strip() == str(template.path / paths.SCHEMA)
    runs("python", "-m", "tests.golden")
    runs("python", "-m", "pytest", "-q", "-n", "2", *(f"tests/{name}" for name in TESTS))
    runs("dvc", "repro")
    assert template.published()["versions"] == 1
    assert "linear" in runs("mnist", "leaderboard")


def _forget(template: Repository, *folders: str) -> None:
    (template.path / "dvc.lock").unlink()
    for folder in folders:
        shutil.rmtree(template.path / folder)


def _programs(template: Repository) -> Callable[..., str]:
    """Runs a program of an environment that has these packages, but of this project only the template, as installed."""
    venv = template.path.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    site = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    (Path(site.strip()) / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python, "install"]
    editable = ["--ignore-installed", "--no-deps", "--no-build-isolation", "--editable", str(template.path)]
    subprocess.run(pip + editable, check=True)
    (venv / "bin" / "dvc").symlink_to(Path(sys.executable).parent / "dvc")
    variables = environment(PYTHONPATH=str(template.path / "src"))
    variables["PATH"] = f"{venv / 'bin'}:{variables['PATH']}"

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=template.path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run

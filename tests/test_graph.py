"""dvc.yaml against the code: what a stage imports is among its deps, what it reads of params.yaml among its params."""

import ast
import os
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from mnist_pipeline.arithmetic.packages import DECIDING
from mnist_pipeline.core.params import DataFiles, Params
from mnist_pipeline.core.strict import Strict
from tests import golden
from tests.repository import ROOT, Repository

PACKAGE = "src/mnist_pipeline"
PIPELINES = {folder: YAML(typ="safe").load(ROOT / folder / "dvc.yaml")["stages"] for folder in golden.PIPELINES}
STAGES = PIPELINES["."]
HELPERS = {
    f"{PACKAGE}/arithmetic/portable.py",
    f"{PACKAGE}/arithmetic/kernels.py",
    f"{PACKAGE}/core/files.py",
}  # they import what the stage has anyway
SETTINGS = ("settings", "bootstrap.settings", "params.load()")
CASES = [(folder, stage) for folder, stages in PIPELINES.items() for stage in stages]


def _definition(folder: str, stage: str) -> Any:
    return PIPELINES[folder][stage].get("do", PIPELINES[folder][stage])


def _imports(path: Path) -> set[str]:
    """Files of this project that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative imports are not followed here"
        if isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    packages = {".".join(name.split(".")[:parts]) for name in names for parts in range(1, name.count(".") + 2)}
    return {file for name in packages if _is_ours(name) and (file := _file(name))}


def _is_ours(module: str) -> bool:
    return module == "bootstrap" or module.split(".")[0] == "mnist_pipeline"


def _file(module: str) -> str | None:
    """The file of a module; None for what is no module but a name in one."""
    base = "stages/bootstrap" if module == "bootstrap" else f"src/{module.replace('.', '/')}"
    return next((place for place in (f"{base}.py", f"{base}/__init__.py") if (ROOT / place).exists()), None)


def _closure(folder: str, stage: str) -> set[str]:
    """The files of this project that a stage's script leads to."""
    script = _definition(folder, stage)["cmd"].split()[2]
    seen, todo = set(), [str((ROOT / folder / script).resolve().relative_to(ROOT))]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += _imports(ROOT / path)
    return seen


@pytest.mark.parametrize(("folder", "stage"), CASES)
def test_deps_are_the_rooms_that_a_stage_enters(folder: str, stage: str) -> None:
    here = ROOT / folder
    paths = {os.path.normpath(here / path).removeprefix(f"{ROOT}/") for path in _definition(folder, stage)["deps"]}
    listed = {path for path in paths if path.startswith("src/") or path.endswith(".py")}
    expected = {path for path in map(_room, _closure(folder, stage)) if path != f"{PACKAGE}/__init__.py"}
    if f"{PACKAGE}/networks" not in listed and f"{PACKAGE}/networks" in expected:  # by name: only the model's own
        expected -= {f"{PACKAGE}/networks"}
        expected |= {f"{PACKAGE}/networks/__init__.py", f"{PACKAGE}/networks/${{item.network}}.py"}
    assert listed == expected


def _room(path: str) -> str:
    """The folder of a module; scripts stand for themselves."""
    return "/".join(path.split("/")[:3])


def test_an_editors_files_are_no_dependencies(project: Repository) -> None:
    for name in ("loop.py~", ".loop.py.swp", "notes.txt", "__pycache__/loop.pyc"):
        path = project.path / "src/mnist_pipeline/training" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("?", encoding="utf-8")
    assert {name for name, outcome in project.repro().items() if outcome != "unchanged"} == {"publish"}


@pytest.mark.filterwarnings("ignore:_NoneStep")  # of a package of DVC's
def test_no_pipeline_writes_what_another_does() -> None:
    """DVC finds that when it reads all of them, which `mnist repro` does not."""
    with Repo(ROOT) as repo:
        assert len(repo.index.graph) == len({stage.addressing for stage in repo.index.stages}) > len(STAGES)


@pytest.mark.parametrize(("folder", "stage"), CASES)
def test_no_shell_stays_between_dvc_and_a_stage(folder: str, stage: str) -> None:
    """It would outlive DVC, and the stage would go on: not every shell gives way to its last command by itself."""
    assert _definition(folder, stage)["cmd"].startswith("exec python3 ")


@pytest.mark.parametrize(("folder", "stage"), CASES)
def test_params_are_what_the_stage_reads(folder: str, stage: str) -> None:
    """Every stage looks at `runtime`, for its arithmetic; where nothing is computed, that is no input."""
    listed = {key.split(".")[0] for key in _definition(folder, stage)["params"] if isinstance(key, str)}
    assert listed == _reads(folder, stage) - ({"runtime"} if stage in ("download", "publish") else set())


@pytest.mark.parametrize(("folder", "stage"), CASES)
def test_versions_are_those_of_the_packages_that_the_stage_imports(folder: str, stage: str) -> None:
    versions = [entry for entry in _definition(folder, stage)["params"] if isinstance(entry, dict)]
    listed = {name for entry in versions for names in entry.values() for name in names}
    none = stage in ("download", "publish") or folder == "studies/exact"  # exact arithmetic has the same in all of them
    assert listed == (set() if none else _packages(folder, stage) & set(DECIDING))


def _packages(folder: str, stage: str) -> set[str]:
    """The packages of others that a stage needs: matplotlib writes its pictures by pillow, pandas stands on numpy."""
    trees = [ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in _closure(folder, stage) - HELPERS]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found = {name.split(".")[0].replace("PIL", "pillow") for name in names}
    return found | ({"pillow"} if "matplotlib" in found else set()) | ({"numpy"} if "pandas" in found else set())


def test_every_key_of_params_is_read_by_some_stage() -> None:
    assert set().union(*(_reads(".", stage) for stage in STAGES)) == set(Params.model_fields)


def _reads(folder: str, stage: str) -> set[str]:
    """Top-level keys that a stage, or the modules it calls, take from the settings."""
    found: set[str] = set()
    for path in _closure(folder, stage):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in SETTINGS:
                found.add("models" if node.attr == "recipe" else node.attr)
    return found


def test_every_key_below_is_read_somewhere_in_the_library() -> None:
    sources = [path for path in (ROOT / PACKAGE).rglob("*.py") if path.stem != "params"]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    keys = {
        name
        for model in Strict.__subclasses__()
        if model.__module__ == "mnist_pipeline.core.params" and model is not DataFiles  # gone through, one by one
        for name in model.model_fields
    }
    assert keys - read - {"device", "name", "study"} == set()


def test_a_network_imports_nothing_of_the_project() -> None:
    for path in (ROOT / PACKAGE / "networks").glob("*.py"):
        assert path.stem == "__init__" or _imports(path) == set()


def test_the_graph_is_short() -> None:
    assert len((ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()) < 120


def test_the_package_itself_is_a_docstring_alone() -> None:
    """No stage depends on it."""
    assert len(ast.parse((ROOT / PACKAGE / "__init__.py").read_text(encoding="utf-8")).body) == 1

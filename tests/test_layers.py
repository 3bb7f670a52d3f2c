"""Which room stands on which, and who may import DVC, MLflow and ONNX Runtime: arrows between rooms run down only."""

import ast

import pytest

from tests.repository import ROOT

PACKAGE = ROOT / "src" / "mnist_pipeline"
WALL = ("core", "arithmetic", "data", "networks", "exact", "training", "results")  # all that decides bits, from below
ROOMS = (
    *WALL,
    "inference",
    "pipeline",
    "cluster",
    "commits",
    "registry",
    "compare",
    "proof",
    "report",
    "pictures",
    "app",
    "doctor",
    "cli",
)
OWNERS = {"dvc": "pipeline", "mlflow": "registry", "onnx_ir": "inference", "onnxruntime": "inference", "ray": "cluster"}


def _imported(room: str) -> set[str]:
    """What the files of a room import: `mnist_pipeline.<room>`, or the name of another package."""
    found: set[str] = set()
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(name.split(".")[: 2 if name.startswith("mnist_pipeline") else 1]) for name in found}


def test_there_are_rooms_and_nothing_else() -> None:
    files = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    found = {path.parts[0] for path in files}
    assert {*WALL, "__init__.py"} <= found <= {*ROOMS, "__init__.py"}, "a template may have fewer"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_stands_only_on_rooms_below_it(room: str) -> None:
    imported = _imported(room)
    below = ROOMS[: ROOMS.index(room) + 1]
    assert {name.split(".")[1] for name in imported if name.startswith("mnist_pipeline.")} <= set(below)
    assert {library for library in OWNERS if library in imported} == {
        library for library, owner in OWNERS.items() if owner == room
    }

"""The table of other instruction sets: what a simulation changed of a model, and that torch heeds it."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from benchmarks import instruction_sets
from benchmarks.instruction_sets import Change
from safetensors.numpy import load_file, save_file

from mnist_pipeline import git, originals, verifying
from mnist_pipeline.errors import PipelineError
from mnist_pipeline.files import read_json, write_csv, write_json
from tests.repository import Repository


@pytest.fixture(autouse=True)
def _inside(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)


def _change(folder: Path) -> Change:
    promised = originals.at(git.commit_of("HEAD"))
    return instruction_sets.change(promised, verifying.compare(promised, folder), folder, "plain")


def test_what_came_out_alike_is_said_to_be_the_same(built: Path) -> None:
    assert str(_change(built)) == "same bits"


def test_changes_are_in_points_images_and_the_largest_weight(built: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built, tmp_path / "rebuilt"))
    metrics, predictions = folder / "metrics/models/plain.json", folder / "results/test/plain/predictions.csv"
    figures = read_json(metrics)
    write_json(metrics, figures | {"test_accuracy": figures["test_accuracy"] - 0.0025})
    table = pd.read_csv(predictions)
    table.loc[:2, "predicted"] = (table["label"] + 1) % 10
    write_csv(predictions, table)
    weights = folder / "models/plain/weights.safetensors"
    tensors = load_file(weights)
    next(iter(tensors.values())).reshape(-1)[0] += 0.5
    weights.unlink()
    save_file(tensors, weights)
    change = _change(folder)
    assert (change.images, change.validation) == (3, 0.0)
    assert change.test == pytest.approx(-0.25)
    assert change.weight == pytest.approx(0.5)
    assert str(change) == "-0.25, +0.00; 3; 0.5"


def test_a_simulation_that_torch_does_not_heed_is_an_error() -> None:
    instruction_sets.check_simulation(instruction_sets.SETS["SSE4"])
    with pytest.raises(PipelineError, match=r"torch works with '.*' all the same"):
        instruction_sets.check_simulation({"ATEN_CPU_CAPABILITY": "no such set"})

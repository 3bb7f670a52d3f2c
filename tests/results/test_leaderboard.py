"""The leaderboard and the choice: by validation accuracy, never by the test set; leftovers are refused."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_json
from mnist_pipeline.results import leaderboard
from mnist_pipeline.training import history

METRICS = {
    "test_accuracy": 0.9,
    "test_accuracy_low": 0.88,
    "test_accuracy_high": 0.92,
    "test_errors": 1000,
    "calibration_error": 0.01234,
    "parameters": 22270,
    "validation_accuracy": 0.91,
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(**models: dict[str, Any]) -> pd.DataFrame:
    """The metrics of these models, as `report` reads them; each may differ from the usual ones."""
    for name, changes in models.items():
        write_json(paths.metrics(name), METRICS | changes)
    return leaderboard.read_metrics(list(models))


def test_metrics_stand_in_the_order_of_params_and_the_leaderboard_in_that_of_test_accuracy() -> None:
    found = table(low={"test_accuracy": 0.5}, high={"test_accuracy": 0.99}, middle={})
    assert list(found.index) == ["low", "high", "middle"]
    assert re.findall(r"^\| (\w+)", leaderboard.leaderboard(found, "none"), re.MULTILINE)[1:] == [
        "high",
        "middle",
        "low",
    ]
    assert found.loc["middle"].to_dict() == METRICS


def test_the_best_is_chosen_on_validation_images_not_on_the_test_set() -> None:
    best = leaderboard.best(table(tested={"test_accuracy": 0.99}, validated={"validation_accuracy": 0.95}))
    assert best["model"] == "validated"
    assert best["ranking"] == [
        {"model": "validated", "validation_accuracy": 0.95, "parameters": 22270},
        {"model": "tested", "validation_accuracy": 0.91, "parameters": 22270},
    ]


def test_ties_go_to_fewer_parameters() -> None:
    best = leaderboard.best(table(large={"parameters": 30000, "test_accuracy": 0.99}, small={"parameters": 9}))
    assert best["model"] == "small"


def test_a_full_tie_goes_to_the_first_in_params_whatever_the_test_set_says() -> None:
    assert leaderboard.best(table(first={}, second={"test_accuracy": 0.99}))["model"] == "first"


def test_without_validation_images_nothing_can_be_chosen() -> None:
    with pytest.raises(PipelineError, match=r"split\.validation is 0: without validation images no model"):
        leaderboard.best(table(one={}).drop(columns="validation_accuracy"))


def test_the_leaderboard_marks_the_chosen_model() -> None:
    text = leaderboard.leaderboard(table(first={"test_accuracy": 0.95}, second={}), "second")
    assert text.splitlines()[2:] == [
        "| first | 95.00% | 88.00% – 92.00% | 1000 | 91.00% | 0.0123 | 22,270 |",
        "| **second** | 90.00% | 88.00% – 92.00% | 1000 | 91.00% | 0.0123 | 22,270 |",
        "",
        "**second** is the best on the validation images.",
    ]


def test_the_summary_is_of_the_chosen_model_and_what_chose_it() -> None:
    found = leaderboard.summary(table(first={"test_accuracy": 0.95}, second={}), "second")
    validation = {"first": 0.91, "second": 0.91}
    assert found == {"best": "second", "best_test_accuracy": 0.9, "validation": validation}


def test_curves_are_the_epochs_of_all_models_under_one_another() -> None:
    for number, name in enumerate(["one", "two"], start=1):
        batch: history.Row = {"images_seen": 5, "epoch": 1, "batch_loss": 9.0}
        epoch: history.Row = {"images_seen": 10 * number, "epoch": 1, "training_loss": 1.0, "training_accuracy": 0.5}
        history.write([batch, epoch], paths.history(name))
    curves = leaderboard.curves(["one", "two"])
    assert curves[["model", "images_seen"]].to_numpy().tolist() == [["one", 10], ["two", 20]]
    assert list(curves)[:2] == ["model", "images_seen"]


@pytest.mark.parametrize("leftover", ["models/old", "results/train/old", "results/test/old", "metrics/models/old.json"])
def test_what_an_older_model_left_is_refused(leftover: str) -> None:
    Path(leftover).mkdir(parents=True)
    with pytest.raises(PipelineError) as raised:
        table(one={})
    assert str(raised.value).startswith(f"{leftover}: no such model under models in params.yaml")
    assert str(raised.value).endswith(f"rm -r {leftover}")


def test_files_of_git_and_of_present_models_are_no_leftovers() -> None:
    paths.model("one").mkdir(parents=True)
    (paths.MODELS / ".gitignore").touch()
    assert list(table(one={}).index) == ["one"]


def test_the_best_model_is_read_back() -> None:
    with pytest.raises(PipelineError, match=r"best\.json: not found; run `make repro` first"):
        leaderboard.read_best()
    write_json(paths.BEST, leaderboard.best(table(one={})))
    assert leaderboard.read_best() == "one"

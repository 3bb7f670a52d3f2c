"""What makes two sweeps the same, and which stages one of some models runs."""

import copy
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline.arithmetic import packages
from mnist_pipeline.commits.lockfile import Lock
from mnist_pipeline.compare import sweep

TRAIN = {
    "deps": [{"path": "data/idx", "md5": "d1"}, {"path": "src/training.py", "md5": "c1"}],
    "params": {"params.yaml": {"models.a": {"batch": 64}, "seed": 1}},
    "outs": [{"path": "models/a", "md5": "m1"}],
}
EVALUATE = {
    "deps": [{"path": "models/a", "md5": "m1"}, {"path": "src/evaluation.py", "md5": "e1"}],
    "params": {"params.yaml": {"split": {"validation": 50}}},
    "outs": [{"path": "metrics/models/a.json", "md5": "r1"}],
}
STAGES: dict[str, Any] = {"train@a": TRAIN, "evaluate@a": EVALUATE, "report": {"deps": [], "outs": []}}


def fingerprint(**stages: Any) -> str:
    return sweep.fingerprint(Lock(Path("dvc.lock"), STAGES | stages), ["a"])


def changed(stage: str, *keys: Any, value: Any) -> dict[str, Any]:
    """The stage with one value of it changed."""
    entry = place = copy.deepcopy(STAGES[stage])
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return {stage: entry}


@pytest.mark.parametrize(
    "change",
    [
        changed("train@a", "deps", 0, "md5", value="d2"),
        changed("train@a", "params", "params.yaml", "models.a", value={"batch": 32}),
        changed("evaluate@a", "deps", 1, "md5", value="e2"),
        changed("evaluate@a", "params", "params.yaml", "split", value={"validation": 40}),
    ],
)
def test_another_input_makes_another_sweep(change: dict[str, Any]) -> None:
    assert fingerprint(**change) != fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        changed("train@a", "params", "params.yaml", "seed", value=2),
        changed("train@a", "outs", 0, "md5", value="m2"),
        changed("evaluate@a", "deps", 0, "md5", value="m2"),
        changed("report", "deps", value=[{"path": "src/reporting.py", "md5": "x"}]),
    ],
)
def test_the_seed_and_what_follows_from_it_do_not(change: dict[str, Any]) -> None:
    assert fingerprint(**change) == fingerprint()


def test_other_packages_make_another_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    monkeypatch.setattr(packages, "installed", lambda: {"torch": "1.0"})
    assert fingerprint() != before


def test_some_models_need_the_data_their_own_stages_and_what_shows_all() -> None:
    stages = ["download", "verify", "train@b", "train@a", "evaluate@b", "evaluate@a", "report", "publish"]
    assert sweep.stages_for(["b", "a"]) == stages

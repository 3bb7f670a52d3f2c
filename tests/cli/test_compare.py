"""`mnist compare` over real git histories of made-up results, and over an experiment that the real DVC saved."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mnist_pipeline.cli import run
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import write_json
from mnist_pipeline.training.evaluation import wilson
from tests.repository import Repository, environment

IMAGES = 20
Mnist = Callable[..., tuple[object, str]]


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mnist:
    """Calls `mnist compare` in an empty repository; returns exit code or message, and standard output."""
    monkeypatch.chdir(tmp_path)
    _git("init", "-q", "-b", "main")

    def call(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["mnist", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code, capsys.readouterr().out

    return call


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], env=environment(), check=True, capture_output=True)


def _commit(tag: str) -> None:
    for command in (["add", "-A"], ["commit", "-qm", tag], ["tag", tag]):
        _git(*command)


def _params(models: dict[str, Any], **shared: Any) -> None:
    YAML().dump({"seed": 1, "models": models} | shared, Path("params.yaml"))


def _results(model: str, wrong: set[int], label: int = 3) -> None:
    """Metrics and predictions of a model with these images wrong, as `evaluate` writes them."""
    low, high = wilson(len(wrong), IMAGES)
    accuracy = {"test_accuracy": 1 - len(wrong) / IMAGES, "test_accuracy_low": low, "test_accuracy_high": high}
    write_json(Path(f"metrics/models/{model}.json"), accuracy | {"test_errors": len(wrong)})
    rows = [f"{index},{label},{8 if index in wrong else label}\n" for index in range(IMAGES)]
    Path(f"results/test/{model}").mkdir(parents=True, exist_ok=True)
    Path(f"results/test/{model}/predictions.csv").write_text("index,label,predicted\n" + "".join(rows), "utf-8")


def _lock(recipe: dict[str, Any], code: str = "0") -> None:
    """A dvc.lock in which model `a` was trained with this recipe and this training.py."""
    deps = [{"path": "training.py", "md5": code}, {"path": "data/idx", "md5": code}]
    train = {"params": {"params.yaml": {"models.a": recipe}}, "deps": deps, "outs": []}
    verify = {"params": {"params.yaml": {"seed": 1}}, "outs": [{"path": "data/idx", "md5": code}]}
    stages = {"verify": verify, "train@a": train, "evaluate@a": {"outs": []}}
    YAML().dump({"stages": stages}, Path("dvc.lock"))


def _data(images: str) -> None:
    write_json(Path("metrics/data.json"), {"files": {"test_images": {"idx_sha256": images}}})


@pytest.fixture
def before(mnist: Mnist) -> Mnist:
    """The tag `before`: model `a` with six of twenty images wrong."""
    _params({"a": {"epochs": 1}})
    _lock({"epochs": 1})
    _data("0")
    _results("a", {0, 1, 2, 3, 4, 9})
    _commit("before")
    return mnist


def _row(table: str, model: str) -> str:
    return next(" ".join(line.split()) for line in table.splitlines() if line.split()[:1] == [model])


def test_accuracy_errors_p_value_and_changed_keys_are_one_row(before: Mnist) -> None:
    _params({"a": {"epochs": 2}}, runtime=7)
    _lock({"epochs": 2})
    _results("a", {5, 9})
    code, out = before()
    assert code == 0
    assert _row(out, "a") == "a 70.00% 90.00% (69.90 – 97.21) +20.00 1 5 0.22 epochs 1 → 2"
    assert "for all models: runtime – → 7" in out.splitlines()
    assert "trained with other values" not in out


def test_json_has_the_figures_unrounded(before: Mnist) -> None:
    _params({"a": {"epochs": 2}})
    _results("a", {5, 9})
    found = json.loads(before("before", "--json")[1])
    assert found["after"] == {"name": "working tree", "commit": None}
    (row,) = found["models"]
    assert row["paired"] == {"gained": 1, "lost": 5, "p_value": 0.21875, "p_corrected": 0.21875}
    assert row["points"] == pytest.approx(20)
    assert row["recipe"] == [{"key": "epochs", "before": 1, "after": 2}]


def test_markdown_is_a_table_of_as_many_cells_in_every_row(before: Mnist) -> None:
    _params({"a": {"epochs": "1|2", "batch": 8}})
    _results("a", {5, 9})
    _commit("after")
    out = before("before", "after", "--md")[1]
    rows = [line.replace("\\|", "") for line in out.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert {row.count("|") for row in rows} == {9}
    assert "epochs 1 → 1\\|2<br>batch – → 8" in out


def test_no_line_is_longer_than_120_columns(before: Mnist) -> None:
    _params({"a": {"epochs": 1, "a_key_with_a_very_long_name": "and a value " * 20}}, data="digest " * 40)
    _results("a", {5, 9})
    lines = before()[1].splitlines()
    assert max(len(line) for line in lines) <= 120
    assert len(lines) > 12


def test_equal_revisions_are_said_to_be_equal(before: Mnist) -> None:
    assert before("before", "main")[1].endswith("nothing differs, in 1 models and params.yaml\n")
    assert before()[1].endswith("working tree: nothing differs, in 1 models and params.yaml\n")
    assert json.loads(before("--json")[1])["differs"] is False


def test_a_model_that_only_one_revision_has_is_named(before: Mnist) -> None:
    _params({"b": {}, "c": {}})
    _results("b", {1})
    code, out = before()
    assert code == 0
    assert _row(out, "b") == "b – 95.00% (76.39 – 99.11) – – – – only working tree has results"
    assert _row(out, "a").startswith("a 70.00% – – – – – only HEAD (")
    assert not [line for line in out.splitlines() if line.startswith("c ")]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda: _results("a", {5, 9}, label=4), "predictions for other data can't be paired"),
        (lambda: _data("1"), "other test data: metrics/data.json of HEAD"),
        (
            lambda: Path("results/test/a/predictions.csv").unlink(),
            "working tree: has no results/test/a/predictions.csv",
        ),
        (lambda: Path("results/test/a/predictions.csv").write_text("index\n0\n"), "predictions.csv: damaged: "),
        (lambda: _edit_errors(5), "its predictions have 6 errors, metrics/models/a.json says 5"),
    ],
)
def test_what_can_not_be_paired_is_not_compared_and_said(change: Callable[[], None], why: str, before: Mnist) -> None:
    change()
    code, out = before()
    assert code == 0
    assert _row(out, "a").split(")")[1].split() == ["–"] * 4
    assert why in " ".join(out.split())


def _edit_errors(errors: int) -> None:
    path = Path("metrics/models/a.json")
    write_json(path, json.loads(path.read_text("utf-8")) | {"test_errors": errors})


def test_results_of_other_values_than_params_yaml_has_are_named(before: Mnist) -> None:
    _params({"a": {"epochs": 2}})
    out = before()[1]
    assert "working tree: trained with other values than its params.yaml has: a; run `make repro` first" in out
    Path("dvc.lock").unlink()
    assert "working tree: has no dvc.lock, so nothing tells whether" in before()[1]


def test_results_for_other_data_and_results_that_dvc_lock_does_not_have_are_named(before: Mnist) -> None:
    _params({"a": {"epochs": 1}}, data="others")
    verify = {"params": {"params.yaml": {"data": "ours"}}}
    stages = {"verify": verify, "train@a": {"cmd": "train"}, "evaluate@a": {"cmd": "evaluate"}}
    YAML().dump({"stages": stages}, Path("dvc.lock"))
    advice = "run `make repro` first"
    assert f"working tree: trained with other values than its params.yaml has: a; {advice}" in before()[1]
    for missing in stages:
        YAML().dump({"stages": {name: stages[name] for name in stages if name != missing}}, Path("dvc.lock"))
        assert f"working tree: not in its dvc.lock: a; {advice}" in before()[1]


@pytest.mark.parametrize(
    ("code", "why"),
    [("1", "what changed is training.py"), ("0", "nor any file or version: was it native?")],
)
def test_other_results_of_the_same_parameters_are_explained(code: str, why: str, before: Mnist) -> None:
    _results("a", {5})
    _lock({"epochs": 1}, code)
    assert before()[1].splitlines()[-1] == f"no parameter of a changed; {why}"


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (lambda: None, ["nowhere"], "error: nowhere: no commit, tag, branch or experiment"),
        (lambda: None, ["--json", "--md"], "error: --json and --md exclude each other"),
        (lambda: Path("metrics/models/a.json").unlink(), [], "error: working tree: no model of its params.yaml has"),
        (lambda: Path("metrics/models/a.json").write_text("{"), [], "error: working tree: metrics/models/a.json: dam"),
        (lambda: Path("metrics/models/a.json").write_text("[]"), [], "error: working tree: metrics/models/a.json: dam"),
        (lambda: Path("metrics/models/a.json").write_text("{}"), [], "error: working tree: metrics/models/a.json: exp"),
        (
            lambda: write_json(Path("metrics/data.json"), {"files": {"test_images": {}}}),
            [],
            "error: working tree: metrics/data.json: expected `idx_sha256`",
        ),
        (lambda: Path("params.yaml").write_text("a: ["), [], "error: working tree: params.yaml: damaged: "),
        (lambda: Path("params.yaml").write_text("models: 3"), [], "error: working tree: params.yaml: damaged: "),
        (lambda: Path("params.yaml").unlink(), [], "error: working tree: has no params.yaml"),
    ],
)
def test_what_can_not_be_read_is_one_line(
    spoil: Callable[[], None], arguments: list[str], message: str, before: Mnist
) -> None:
    spoil()
    ended, out = before(*arguments)
    assert str(ended).startswith(message)
    assert "\n" not in str(ended)
    assert out == ""


def test_without_git_or_a_repository_it_ends_in_one_line(
    mnist: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").rename(tmp_path / "no-git")
    assert str(mnist()[0]).startswith("error: git ")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mnist()[0] == "error: git: no such program on the PATH; install it"


def test_an_experiment_of_dvc_is_compared_with_the_commit_it_came_from(built: Path, project: Repository) -> None:
    shutil.copy(built / paths.RECEIPT, project.path / paths.RECEIPT)  # DVC saves only where every output is there
    content = project.params()
    content["models"]["weak"]["optimizer"]["learning_rate"] = 0.1
    project.write_params(content)
    project.run("dvc", "exp", "save", "--name", "faster")
    project.run("git", "checkout", "--quiet", "params.yaml")
    found = json.loads(project.run("mnist", "compare", "HEAD", "faster", "--json"))
    plain, weak = found["models"]
    assert (plain["recipe"], plain["paired"]) == ([], {"gained": 0, "lost": 0, "p_value": 1.0, "p_corrected": 1.0})
    assert weak["recipe"] == [{"key": "optimizer.learning_rate", "before": 0.0001, "after": 0.1}]
    assert (weak["paired"], found["notes"]) == ({"gained": 0, "lost": 0, "p_value": 1.0, "p_corrected": 1.0}, [])

"""The whole pipeline, small: real DVC, a real MLflow store, data from a local server with a broken mirror before it."""

import os
import shutil
from pathlib import Path

import pytest

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core.files import read_json
from mnist_pipeline.pipeline import repro
from tests import synthetic
from tests.arithmetic.test_portable import needs_avx2
from tests.conftest import MODELS
from tests.repository import Repository, outcomes, quick_environment

STAGES = ["download", "verify", *(f"{stage}@{model}" for stage in ("train", "evaluate") for model in MODELS)]


def test_from_nothing_every_stage_runs_once(built: Path) -> None:
    output = (built / "output.txt").read_text(encoding="utf-8")
    assert outcomes(output) == dict.fromkeys([*STAGES, "report", "publish"], "ran")
    assert f"{len(STAGES) + 2} stages ran" in output
    published = Repository(built).published()
    assert published == {"runs": 2, "unfinished": 0, "models": 2, "versions": 2}
    assert Repository(built).champion() == "plain"


def test_again_nothing_runs_and_nothing_is_added(project: Repository) -> None:
    project.repro()
    before = project.published(), project.lock()
    assert set(project.repro().values()) == {"unchanged"}
    assert (project.published(), project.lock()) == before
    assert project.status() == ""


def test_targets_come_with_what_they_need_and_nothing_else(project: Repository) -> None:
    shutil.rmtree(project.path / "models")
    ran = outcomes(project.run("mnist", "repro", "train@*", "evaluate@weak"))
    needed = ["download", "verify", *(f"train@{model}" for model in MODELS), "evaluate@weak"]
    assert sorted(ran) == sorted(needed)
    assert {stage for stage, outcome in ran.items() if outcome != "unchanged"} == {f"train@{model}" for model in MODELS}
    assert "dvc.yaml: no stage train@none; there are " in project.run("mnist", "repro", "train@none", code=1)


def test_a_source_that_is_passed_over_is_in_the_log_of_the_stage(built: Path) -> None:
    log = (built / ".logs" / "download.log").read_text(encoding="utf-8")
    assert "passed over" in log
    assert "404" in log
    assert "t10k-labels-idx1-ubyte.gz: from http://127.0.0.1" in log


def test_plain_dvc_repro_in_a_fresh_clone_leaves_the_same_lock(built: Path, tmp_path: Path) -> None:
    clone = Repository(built).clone(tmp_path / "clone")
    (clone.path / "dvc.lock").unlink()
    output = clone.run("dvc", "repro")
    assert output.count("Running stage") == len(STAGES) + 2
    assert clone.lock() == Repository(built).lock()
    assert clone.status() == ""
    assert clone.published() == Repository(built).published()


def test_after_push_and_pull_a_clone_only_publishes(project: Repository, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "--default", "folder", str(tmp_path / "remote"))
    project.commit("A remote")
    project.run("dvc", "push", "--quiet")
    clone = project.clone(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    assert [stage for stage, outcome in clone.repro().items() if outcome != "unchanged"] == ["publish"]
    assert clone.published()["versions"] == 2
    assert clone.status() == ""


def test_a_changed_key_reruns_only_its_model_and_the_old_value_is_restored(project: Repository) -> None:
    before, lock = project.params(), project.lock()
    changed = project.params()
    changed["models"]["weak"]["optimizer"]["learning_rate"] = 2e-4
    project.write_params(changed)
    again = [stage for stage, outcome in project.repro().items() if outcome == "ran"]
    assert again == ["train@weak", "evaluate@weak", "report", "publish"]
    project.write_params(before)
    back = {stage: outcome for stage, outcome in project.repro().items() if outcome != "unchanged"}
    assert back == {"train@weak": "restored", "evaluate@weak": "restored", "report": "ran", "publish": "ran"}
    assert project.lock() == lock
    assert project.published() == {"runs": 3, "unfinished": 0, "models": 3, "versions": 3}


@pytest.mark.filterwarnings("ignore:_NoneStep")  # of a package of DVC's
def test_what_the_run_cache_has_of_another_arithmetic_is_trained_again(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it may come with `dvc pull --run-cache` from a machine that has native arithmetic alone."""
    monkeypatch.chdir(project.path)
    for name in os.environ.keys() - quick_environment().keys():
        monkeypatch.delenv(name)
    for name, value in quick_environment().items():
        monkeypatch.setenv(name, value)
    for stages in ([], ["train@plain"]):
        shutil.rmtree("models")
        Path("dvc.lock").unlink()
        ran = repro.repro(1, {}, lambda stage, refused=stages: stage not in refused)  # type: ignore[misc]
        assert [stage for stage in ran if stage.startswith("train@")] == stages
    assert project.status() == ""


@needs_avx2
def test_a_new_model_trains_only_itself_and_dvc_repro_books_it_alike(project: Repository, tmp_path: Path) -> None:
    """Its network uses an operator that may give other bits elsewhere, which is said at once and kept with it."""
    network = project.path / "src" / "mnist_pipeline" / "networks" / "own.py"
    source = (network.parent / "mlp_28.py").read_text(encoding="utf-8")
    network.write_text(source.replace("nn.ReLU()", "nn.GELU()"), encoding="utf-8")
    changed = project.params()
    changed["models"]["new"] = synthetic.recipe(network="own")
    project.write_params(changed)
    output = project.run("mnist", "repro")
    again = [stage for stage, outcome in outcomes(output).items() if outcome == "ran"]
    assert again == ["train@new", "evaluate@new", "report", "publish"]
    assert project.published()["versions"] == 3
    unproven = ["gelu", "gelu_backward"]
    assert f"note: new is not portable: not known to give the same bits everywhere: {', '.join(unproven)}\n" in output
    assert read_json(project.path / "models" / "new" / "model.json")["unproven_operators"] == unproven
    for table in ("tags", "model_version_tags"):
        values = project.query(f"SELECT value FROM {table} WHERE key = 'arithmetic'")  # noqa: S608
        assert {value for (value,) in values} == {"portable", "unproven"}

    other = Repository(
        Path(shutil.copytree(project.path, tmp_path / "other", ignore=shutil.ignore_patterns("tmp", ".mlflow")))
    )
    other.run("git", "checkout", "--quiet", "dvc.lock")
    other.run("dvc", "repro")
    assert other.lock() == project.lock()


def test_a_network_that_is_not_there_is_refused_before_anything_runs(project: Repository) -> None:
    changed = project.params()
    changed["models"]["weak"]["network"] = "nothing"
    project.write_params(changed)
    output = project.run("mnist", "repro", code=1)
    assert "models.weak.network: found 'nothing', expected one of cnn_5x5, cnn_avgpool" in output
    assert outcomes(output) == {}


def test_a_stage_whose_code_is_not_there_fails_alone(project: Repository) -> None:
    (project.path / "stages" / "report.py").unlink()
    output = project.run("mnist", "repro", code=1)
    assert outcomes(output)["report"] == "failed"
    assert "stages/report.py is not there, but report depends on it" in output
    assert "report failed (see above); not run: publish" in output
    assert "Traceback" not in output


def test_a_removed_model_leaves_a_clear_error(project: Repository) -> None:
    changed = project.params()
    del changed["models"]["weak"]
    project.write_params(changed)
    output = project.run("mnist", "repro", code=1)
    assert "rm -r metrics/models/weak.json models/weak" in output
    assert "Traceback" not in output


def test_a_failed_stage_shows_its_output_and_spares_the_rest(project: Repository) -> None:
    changed = project.params()
    changed["models"]["weak"]["optimizer"]["learning_rate"] = 1e30
    project.write_params(changed)
    output = project.run("mnist", "repro", code=1)
    assert "epoch 1, batch" in output
    assert "train@weak failed" in output
    assert not (project.path / "models" / "weak").exists()


def test_what_ended_behind_a_failed_stage_is_entered_when_its_turn_comes(project: Repository) -> None:
    """The order of dvc.lock is that of `dvc repro`, whatever ends when; what a kill left of a copy disturbs nobody."""
    undisturbed, params = project.lock(), project.params()
    (project.path / "dvc.lock").unlink()
    (project.path / ".dvc" / "tmp").mkdir(exist_ok=True)
    (project.path / ".dvc" / "tmp" / "dvc.lock.part").write_bytes(b"half")
    changed = project.params()
    changed["models"]["plain"]["optimizer"]["learning_rate"] = 1e30
    project.write_params(changed)
    ended = outcomes(project.run("mnist", "repro", "--jobs", "2", code=1))
    assert (ended["train@plain"], ended["train@weak"]) == ("failed", "restored")
    assert list(lockfile.load(project.path / "dvc.lock").stages) == ["download", "verify"]
    project.write_params(params)
    project.repro()
    assert project.lock() == undisturbed


def test_a_key_that_changes_while_its_stage_runs_is_not_booked(project: Repository) -> None:
    """The training itself edits params.yaml, as a person might; what it leaves belongs to the old value."""
    stage = project.path / "stages" / "train.py"
    edit = "    file = Path('params.yaml'); file.write_text(file.read_text().replace('seed: 1', 'seed: 2'))"
    code = stage.read_text(encoding="utf-8")
    stage.write_text(
        code.replace("    trained.write()\n", f"    from pathlib import Path\n{edit}\n    trained.write()\n"), "utf-8"
    )
    output = project.run("mnist", "repro", "--jobs", "1", code=1)
    assert "failed since its inputs changed while it ran" in output

"""What is said about a model comes from the files of a built pipeline; two results are the same if their bytes are."""

import shutil
from pathlib import Path

import pytest

from mnist_pipeline.arithmetic import machine
from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import files, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry.publication import Publication
from tests.repository import Repository


@pytest.fixture
def plain(built: Path, monkeypatch: pytest.MonkeyPatch) -> Publication:
    monkeypatch.chdir(built)
    return Publication("plain", lockfile.load())


def test_params_are_the_recipe_the_seeds_and_the_runtime(plain: Publication) -> None:
    assert plain.params["optimizer.learning_rate"] == "0.01"
    assert plain.params["seed"] == "1"
    assert plain.params["split.validation"] == "50"
    assert plain.params["runtime.device"] == "cpu"
    assert "augmentation" not in plain.params


def test_metrics_have_images_seen_as_steps(plain: Publication) -> None:
    assert [step for name, _, step in plain.metrics if name == "validation_accuracy"] == [350, 700]
    assert next(step for name, _, step in plain.metrics if name == "batch_loss") == 128
    assert {name: step for name, _, step in plain.metrics}["test_accuracy"] == 700
    assert {"training_seconds", "images_per_second"} <= {name for name, _, _ in plain.metrics}


def test_the_time_of_other_weights_is_not_taken_for_theirs(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    files.write_json(paths.timing("plain"), {"weights_sha256": "0", "training_seconds": 1.0, "machine": {"a": "b"}})
    found = Publication("plain", lockfile.load())
    assert "training_seconds" not in {name for name, _, _ in found.metrics}
    assert found.run_tags["machine"] == "unknown: not trained here"


def test_content_is_a_digest_of_every_output(plain: Publication) -> None:
    outputs = {tag.removeprefix("md5:"): md5 for tag, md5 in plain.run_tags.items() if tag.startswith("md5:")}
    assert plain.content == lockfile.digest(outputs) == plain.version_tags["content"]
    assert outputs == lockfile.load().results("plain")
    for path in outputs:
        assert lockfile.digest(outputs | {path: "0" * 32}) != plain.content


def test_tags_lead_back_to_the_lock_and_to_git(plain: Publication) -> None:
    assert plain.run_tags["md5:models/plain"] == lockfile.load().results("plain")["models/plain"]
    assert len(plain.run_tags["git.commit"]) == 40
    assert plain.run_tags["git.dirty"] in ("true", "false")


def test_the_description_says_data_recipe_and_accuracy_with_interval(plain: Publication) -> None:
    for words in ("350 images of tiny", "2 epochs in batches of 64", "adamw at 0.01", "Test accuracy", "interval"):
        assert words in plain.description


def test_an_experiment_is_no_candidate(plain: Publication, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain.version_tags["candidate"] == "yes"
    monkeypatch.setenv("DVC_EXP_NAME", "trial")
    trial = Publication("plain", lockfile.load())
    assert trial.version_tags["candidate"] == "no: it is from experiment trial; apply that, then `make repro`"
    assert trial.run_tags["dvc.experiment"] == "trial"
    assert trial.content == plain.content


def test_run_and_version_say_machine_and_arithmetic_and_keep_them(project: Repository, plain: Publication) -> None:
    for name, value in machine.describe().items():
        assert f"{name} {value}" in plain.run_tags["machine"]
    project.repro()
    shutil.rmtree(project.path / ".timings")
    project.run("mnist", "publish")
    for table in ("tags", "model_version_tags"):
        for key in ("machine", "arithmetic"):
            values = project.query(f"SELECT value FROM {table} WHERE key = '{key}'")  # noqa: S608
            assert values == [(plain.run_tags[key],)] * 2


@pytest.mark.usefixtures("plain")
def test_a_model_that_was_never_built_is_named() -> None:
    with pytest.raises(PipelineError, match="no stage train@missing"):
        Publication("missing", lockfile.load())

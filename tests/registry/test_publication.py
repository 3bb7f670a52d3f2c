"""What is said about a model comes from the files of a built pipeline; two results are the same if their bytes are."""

import dataclasses
from pathlib import Path

import pytest

from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import files, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import publication
from mnist_pipeline.registry.publication import Record
from tests.repository import Repository


@pytest.fixture
def plain(built: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.chdir(built)
    return publication.gather("plain", lockfile.load())


def test_params_are_the_recipe_the_seeds_and_the_runtime(plain: Record) -> None:
    assert plain.params["optimizer.learning_rate"] == "0.01"
    assert plain.params["seed"] == "1"
    assert plain.params["split.validation"] == "50"
    assert plain.params["runtime.device"] == "cpu"
    assert "augmentation" not in plain.params


def test_metrics_have_images_seen_as_steps(plain: Record) -> None:
    assert [step for name, _, step in plain.metrics if name == "validation_accuracy"] == [350, 700]
    assert next(step for name, _, step in plain.metrics if name == "batch_loss") == 128
    assert {name: step for name, _, step in plain.metrics}["test_accuracy"] == 700
    assert {"training_seconds", "images_per_second"} <= {name for name, _, _ in plain.metrics}


def test_the_time_of_other_weights_is_not_taken_for_theirs(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    files.write_json(paths.timing("plain"), {"weights_sha256": "0", "training_seconds": 1.0})
    assert "training_seconds" not in {name for name, _, _ in publication.gather("plain", lockfile.load()).metrics}


def test_content_depends_on_every_output(plain: Record) -> None:
    for path in plain.outputs:
        changed = dataclasses.replace(plain, outputs=plain.outputs | {path: "0" * 32})
        assert changed.content != plain.content


def test_tags_lead_back_to_the_lock_and_to_git(plain: Record) -> None:
    assert plain.tags["md5:models/plain"] == plain.outputs["models/plain"]
    assert len(plain.tags["git.commit"]) == 40
    assert plain.tags["git.dirty"] in ("true", "false")


def test_the_description_says_data_recipe_and_accuracy_with_interval(plain: Record) -> None:
    for words in ("350 images of tiny", "2 epochs in batches of 64", "adamw at 0.01", "Test accuracy", "interval"):
        assert words in plain.description


def test_an_experiment_is_no_candidate(plain: Record) -> None:
    assert plain.candidate == "yes"
    trial = dataclasses.replace(plain, tags=plain.tags | {"dvc.experiment": "trial"})
    assert trial.candidate == "no: it is from experiment trial; apply that, then `make repro`"


@pytest.mark.usefixtures("plain")
def test_a_model_that_was_never_built_is_named() -> None:
    with pytest.raises(PipelineError, match="no stage train@missing"):
        publication.gather("missing", lockfile.load())

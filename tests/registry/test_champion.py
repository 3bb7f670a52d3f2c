"""The alias in a real store: moved by publishing and by hand, with reasons, and back."""

from mnist_pipeline.core import files
from tests.repository import Repository


def test_promote_publish_and_rollback_in_a_real_store(project: Repository) -> None:
    project.run("mnist", "publish")
    assert "worse on the validation images than tiny version 1" in _promote(project, "2", code=1)
    assert "no version 7 is registered; there are: 1, 2" in _promote(project, "7", code=1)
    assert "version 2 (weak) is champion" in _promote(project, "2", "--force")
    project.run("mnist", "publish")
    assert project.champion() == "weak", "the better model existed when it was decided"

    _improve(project, "plain")
    assert "version 3 is now tiny@champion" in project.run("mnist", "publish")
    assert "version 2 (weak) is champion again" in project.run("mnist", "rollback", "--reason", "it was too good")
    project.run("mnist", "publish")
    assert project.champion() == "weak"
    lines = project.run("mnist", "history").splitlines()[1:]
    moves = [("1", "publish"), ("2", "promote"), ("3", "publish"), ("2", "rollback")]
    assert [(line.split()[2], line.split()[5]) for line in lines] == moves
    assert lines[1].endswith("for a test")
    assert lines[3].endswith("it was too good")
    assert "version 1 (plain) is champion again" in project.run("mnist", "rollback", "--reason", "and further")
    assert "no champion before" in project.run("mnist", "rollback", "--reason", "too far", code=1)


def test_what_is_no_candidate_is_not_promoted_either(project: Repository) -> None:
    project.edit("models/weak/model.json", training_images_sha256="0" * 64)
    project.run("mnist", "publish")
    output = _promote(project, "2", "--force", code=1)
    assert "can't be champion (it was trained on other images than those of the training split)" in output


def _promote(project: Repository, *arguments: str, code: int = 0) -> str:
    return project.run("mnist", "promote", *arguments, "--reason", "for a test", code=code)


def _improve(project: Repository, model: str) -> None:
    """Other results than those that are published, and better ones."""
    path = f"metrics/models/{model}.json"
    accuracy = files.read_json(project.path / path)["validation_accuracy"]
    project.edit(path, validation_accuracy=min(1.0, accuracy + 0.01), test_loss=0.0)

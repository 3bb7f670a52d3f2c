"""Files and folders of pictures: every one is answered or named with the reason, in order."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pictures import explanation, recognition
from mnist_pipeline.training import predictor
from mnist_pipeline.training.predictor import Classifier
from tests import synthetic


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    synthetic.train(tmp_path / "model" / "small", epochs=4)
    return predictor.load(tmp_path / "model" / "small")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures in MNIST's look, and files beside them that are none."""
    place = tmp_path / "scans"
    place.mkdir()
    for number, image in enumerate(synthetic.digits(20, seed=5)[0]):
        Image.fromarray(image).save(place / f"{number:02}.PNG")
    (place / "notes.txt").write_text("no picture", encoding="utf-8")
    (place / ".hidden.png").write_bytes(b"no picture either")
    return place


def test_a_folder_is_answered_picture_by_picture_in_order(classifier: Classifier, folder: Path) -> None:
    answers = [one for one in recognition.answers(classifier, [folder]) if isinstance(one, recognition.Answer)]
    assert [answer.path.name for answer in answers] == [f"{number:02}.PNG" for number in range(20)]
    assert [answer.digit for answer in answers] == synthetic.digits(20, seed=5)[1].tolist()
    for answer in answers:
        assert sum(answer.probabilities) == pytest.approx(1, abs=1e-5)


def test_a_bad_file_is_named_and_the_others_are_answered(classifier: Classifier, folder: Path) -> None:
    places = [folder / "00.PNG", folder / "notes.txt", folder / "none.png", folder / "01.PNG"]
    first, text, none, last = recognition.answers(classifier, places)
    assert isinstance(first, recognition.Answer)
    assert isinstance(last, recognition.Answer)
    assert isinstance(text, PipelineError)
    assert str(text).startswith(f"{folder / 'notes.txt'}: not a picture")
    assert str(none) == f"{folder / 'none.png'}: no such file"


def test_a_folder_without_pictures_is_named(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (answer,) = recognition.answers(classifier, [tmp_path / "empty"])
    assert str(answer).startswith(f"{tmp_path / 'empty'}: no pictures in this folder")


def test_the_table_has_a_line_a_picture(classifier: Classifier, folder: Path) -> None:
    (answer,) = recognition.answers(classifier, [folder / "03.PNG"])
    assert isinstance(answer, recognition.Answer)
    head, line = recognition.table([answer]).splitlines()
    assert head.split() == ["image", "digit", *"0123456789"]
    assert line.split()[:2] == [str(folder / "03.PNG"), str(answer.digit)]
    assert len(head) == len(line)


def test_what_is_shown_has_the_same_bytes_twice_and_a_name_for_each_file(
    classifier: Classifier, folder: Path, tmp_path: Path
) -> None:
    (folder / "below").mkdir()
    (folder / "00.PNG").rename(folder / "below" / "01.PNG")
    places = [folder / "01.PNG", folder / "below" / "01.PNG"]
    answers = [one for one in recognition.answers(classifier, places) if isinstance(one, recognition.Answer)]
    answers.append(replace(answers[1], path=folder / "below_01.PNG"))  # joined by _, the same as the one before
    first, again = ([path for _, path in explanation.show(answers, tmp_path / name)] for name in ("a", "b"))
    assert [path.exists() for path in first] == [True] * 3
    assert len(set(first)) == 3
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    with Image.open(first[0]) as shown:
        assert shown.width > 2 * shown.height

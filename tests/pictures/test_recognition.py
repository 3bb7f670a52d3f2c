"""Files and folders of pictures: every one is recognised or named with the reason, in order."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.inference.models import Eager
from mnist_pipeline.pictures import explanation, recognition
from mnist_pipeline.training import predictor
from tests import synthetic


@pytest.fixture
def model(tmp_path: Path) -> Eager:
    synthetic.train(tmp_path / "model" / "small", epochs=4)
    return Eager(predictor.load(tmp_path / "model" / "small"))


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


def test_a_folder_is_recognised_picture_by_picture_in_order(model: Eager, folder: Path) -> None:
    recognised, refused = recognition.recognise_all(model, [folder])
    assert refused == []
    assert [one.name for one in recognised] == [str(folder / f"{number:02}.PNG") for number in range(20)]
    assert [one.label for one in recognised] == synthetic.digits(20, seed=5)[1].tolist()
    for one in recognised:
        assert sum(one.probabilities) == pytest.approx(1, abs=1e-5)


def test_a_bad_file_is_named_and_the_others_are_recognised(model: Eager, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    places = [folder / "00.PNG", folder / "notes.txt", folder / "none.png", tmp_path / "empty", folder / "01.PNG"]
    recognised, refused = recognition.recognise_all(model, places)
    assert [one.name for one in recognised] == [str(folder / "00.PNG"), str(folder / "01.PNG")]
    text, none, empty = refused
    assert text.startswith(f"{folder / 'notes.txt'}: not a picture")
    assert none == f"{folder / 'none.png'}: no such file"
    assert empty.startswith(f"{tmp_path / 'empty'}: no pictures in this folder")


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 3e38])
def test_weights_that_lead_to_no_probabilities_are_refused(weight: float, model: Eager, folder: Path) -> None:
    for one in model.classifier.parameters():
        one.data.fill_(weight)
    with pytest.raises(PipelineError, match=r"^the model answers NaN instead of probabilities: its weights are not "):
        recognition.recognise_all(model, [folder])


def test_the_table_has_a_row_a_picture(model: Eager, folder: Path) -> None:
    (one,), _ = recognition.recognise_all(model, [folder / "03.PNG"])
    head, row = recognition.table([one]).splitlines()
    assert head.split() == ["image", "digit", *"0123456789"]
    assert row.split()[:2] == [str(folder / "03.PNG"), str(one.label)]
    assert len(head) == len(row)


def test_an_explanation_has_the_same_bytes_twice_and_a_name_for_each_file(
    model: Eager, folder: Path, tmp_path: Path
) -> None:
    places = [folder / "01.PNG", folder / "below" / "01.PNG", folder / "below_01.PNG", folder / "below-2" / "01.JPG"]
    (one,), _ = recognition.recognise_all(model, places[:1])
    recognised = [replace(one, name=str(place)) for place in places]
    first, again = ([path for _, path in explanation.explain(recognised, tmp_path / name)] for name in ("a", "b"))
    assert sorted((tmp_path / "a").iterdir()) == sorted(set(first))
    assert len(first) == len(set(first)) == 4
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    with Image.open(first[0]) as shown:
        assert shown.width > 2 * shown.height

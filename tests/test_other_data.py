"""Data sets of other classes, by params.yaml alone: from files like EMNIST's to a model that answers with a name."""

import hashlib
import json
import shutil
import string
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from ruamel.yaml import YAML

from mnist_pipeline.app.library import Library
from mnist_pipeline.core.files import read_json, sha256_of
from mnist_pipeline.data import idx
from mnist_pipeline.pictures import explanation
from mnist_pipeline.registry import integrity
from tests import synthetic
from tests.app.test_api import ask
from tests.registry.test_pulling import WITH_MLFLOW, python
from tests.repository import Repository, create
from tests.shelf import entry, serve

ABSENT = "Q"  # a class of the letters without any image
LETTERS = list(string.ascii_uppercase)
BALANCED = [*string.digits, *LETTERS, *"abdefghnqr", "lower t"]  # as EMNIST Balanced, with one long name
FONT = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 22)
SHIFTS = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))


def image(name: str, shift: int) -> Image.Image:
    """The last character of a name, light on dark, moved by a pixel."""
    drawn = Image.new("L", (28, 28))
    right, down = SHIFTS[shift % len(SHIFTS)]
    ImageDraw.Draw(drawn).text((14 + right, 14 + down), name[-1], 255, FONT, anchor="mm")
    return drawn


@dataclass(frozen=True)
class Made:
    """A repository in which `mnist repro` ran on a data set of these classes, and the upright test images."""

    repository: Repository
    names: list[str]
    transposed: bool
    test: idx.Bytes

    @property
    def path(self) -> Path:
        return self.repository.path


@pytest.fixture(scope="module", params=[(LETTERS, False), (BALANCED, True)], ids=["letters", "balanced, transposed"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    names, transposed = request.param
    published, counts = tmp_path_factory.mktemp("published"), {}
    for part, each in (("training", 12), ("test", 3)):
        labels = np.repeat(np.array([label for label, name in enumerate(names) if name != ABSENT], np.uint8), each)
        labels = np.random.default_rng(each).permutation(labels)
        upright = np.array([np.asarray(image(names[label], shift)) for shift, label in enumerate(labels)])
        images = upright.transpose(0, 2, 1) if transposed else upright
        (published / synthetic.FILES[f"{part}_images"]).write_bytes(synthetic.pack(synthetic.idx_bytes(images)))
        (published / synthetic.FILES[f"{part}_labels"]).write_bytes(synthetic.pack(synthetic.idx_bytes(labels)))
        counts[part] = len(labels)
    data = synthetic.data_params(published, [str(published)], **counts) | {"classes": names, "transposed": transposed}
    small = synthetic.recipe(epochs=4, batch=16, optimizer={"name": "adamw", "learning_rate": 0.02})
    settings = synthetic.params(data, models={"small": small}, split={"seed": 0, "validation": 2 * len(names)})
    repository = create(tmp_path_factory.mktemp("other") / "project", settings)
    assert set(repository.repro().values()) == {"ran"}
    repository.commit("Results")
    return Made(repository, names, transposed, upright)


def test_images_are_turned_once_and_digests_are_of_the_published_files(made: Made) -> None:
    data = read_json(made.path / "metrics/data.json")
    found = data["files"]["test_images"]
    published = made.test.transpose(0, 2, 1) if made.transposed else made.test
    assert found["idx_sha256"] == hashlib.sha256(synthetic.idx_bytes(published)).hexdigest()
    assert found.get("upright_sha256", found["idx_sha256"]) == sha256_of(made.path / "data/idx/test-images.idx3-ubyte")
    assert ("upright_sha256" in found) == made.transposed
    assert np.array_equal(idx.read(made.path / "data/idx/test-images.idx3-ubyte"), made.test)


def test_classes_are_counted_also_where_one_has_no_image(made: Made) -> None:
    data = read_json(made.path / "metrics/data.json")
    assert data["classes"] == read_json(made.path / "data/idx/classes.json") == made.names
    expected = [0 if name == ABSENT else 3 for name in made.names]
    assert data["splits"]["test"]["labels"] == expected


def test_tables_and_the_model_name_the_classes(made: Made) -> None:
    model, results = read_json(made.path / "models/small/model.json"), made.path / "results/test/small"
    assert model["classes"] == made.names
    assert read_json(made.path / "metrics/models/small.json")["test_accuracy"] > 0.7
    said = pd.read_csv(results / "predictions.csv", dtype=str, keep_default_na=False)
    assert set(said["label"]) == set(made.names) - {ABSENT}
    cells = pd.read_csv(results / "confusion.csv", dtype={"label": str, "predicted": str}, keep_default_na=False)
    assert list(dict.fromkeys(cells["label"])) == made.names
    assert cells["count"].sum() == len(made.test)
    assert np.load(results / "probabilities.npy").shape == (len(made.test), len(made.names))
    with Image.open(results / "pictures/confusion.png") as picture:
        assert picture.width / len(made.names) > 25  # pixels a class


def test_the_registered_model_names_them_in_signature_metadata_tag_and_card(made: Made, tmp_path: Path) -> None:
    made.repository.run("mnist", "pull", str(tmp_path / "model"))
    described = YAML(typ="safe").load(tmp_path / "model" / "MLmodel")
    (outputs,) = json.loads(described["signature"]["outputs"])
    assert outputs["tensor-spec"]["shape"] == [-1, len(made.names)]
    assert outputs["name"] == f"probabilities of {', '.join(made.names)}"
    assert described["metadata"]["classes"] == made.names
    tags = made.repository.query("SELECT value FROM model_version_tags WHERE key = 'classes'")
    assert tags == [(" | ".join(made.names),)]
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert f"It knows {len(made.names)} classes, {', '.join(made.names)}, and" in card
    assert f"probabilities of shape (n, {len(made.names)}) of {', '.join(made.names)}." in card
    assert "digit" not in card
    assert [line.split("|")[1].strip(" *") for line in card.splitlines() if line.startswith("| **")] == made.names
    assert python(WITH_MLFLOW, str(tmp_path / "model"), cwd=tmp_path) == f"(3, {len(made.names)})\n"


def test_predict_answers_with_the_name(made: Made, tmp_path: Path) -> None:
    for name in made.names[-3:]:
        image(name, 0).resize((112, 112)).save(tmp_path / f"{name}.png")
    pictures = [str(tmp_path / f"{name}.png") for name in made.names[-3:]]
    told = made.repository.run("mnist", "predict", "--json", *pictures, "--show", str(tmp_path / "steps"))
    answers = json.loads(told[: told.rindex("]") + 1])
    for answer in answers:
        shares = answer["probabilities"]
        assert list(shares) == made.names
        assert answer["class"] == max(shares, key=shares.__getitem__)
    table = made.repository.run("mnist", "predict", *pictures).splitlines()
    assert table[0].split() == ["image", "class", "likeliest"]
    assert all(answer["class"] in row for answer, row in zip(answers, table[1:], strict=True))


def test_the_report_has_each_mistake_in_its_cell_and_its_images(made: Made) -> None:
    made.repository.run("mnist", "report")
    page = (made.path / "report/index.html").read_text("utf-8")
    (side,) = json.loads(page.split('type="application/json">')[1].split("</script>")[0])["sides"]
    assert side["classes"] == made.names
    assert side["no_images"] is None
    counts = np.array(side["confusion"]["small"])
    assert counts.shape == (len(made.names), len(made.names))
    assert counts.sum() - counts.trace() == len(side["mistakes"]["small"])
    assert "nothing differs" in made.repository.run("mnist", "compare", "HEAD")


def test_the_page_is_told_the_names_before_and_with_an_answer(made: Made, tmp_path: Path) -> None:
    made.repository.run("mnist", "pull", str(tmp_path / "model"))

    def fetch(_: object, folder: Path) -> None:
        shutil.copytree(tmp_path / "model" / integrity.PLAIN, folder, dirs_exist_ok=True)
        shutil.copy(tmp_path / "model" / integrity.SUMS, folder)

    tags = {integrity.TAG: sha256_of(tmp_path / "model" / integrity.SUMS), "classes": " | ".join(made.names)}
    with serve(Library([replace(entry(1), tags=tags)], fetch, tmp_path / "kept")) as address:
        assert requests.get(f"{address}/models", timeout=30).json()[0]["classes"] == made.names
        image(made.names[-1], 0).resize((112, 112)).save(tmp_path / "one.png")
        answer: dict[str, Any] = ask(address, (tmp_path / "one.png").read_bytes()).json()
    assert answer["classes"] == made.names
    assert len(answer["probabilities"]) == len(made.names)


def test_a_second_run_changes_nothing_and_another_name_trains_anew(made: Made) -> None:
    assert set(made.repository.repro().values()) == {"unchanged"}
    settings = made.repository.params()
    settings["data"]["sources"].append("data/archive/more")
    made.repository.write_params(settings)
    assert made.repository.repro()["train@small"] == "unchanged"
    settings["data"]["classes"][0] = "first"
    made.repository.write_params(settings)
    assert made.repository.repro()["train@small"] == "ran"
    assert read_json(made.path / "models/small/model.json")["classes"][0] == "first"


def test_many_classes_have_ten_bars_the_likeliest() -> None:
    shares = (np.arange(62) / sum(range(62))).tolist()
    assert explanation.likeliest(shares) == list(range(52, 62))
    assert explanation.likeliest(shares[:10]) == list(range(10))

"""A pulled model is whole, checked, and works with MLflow, and without it; nothing is unpickled."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from mnist_pipeline.commits import lockfile
from mnist_pipeline.inference import export
from mnist_pipeline.inference.models import Eager
from mnist_pipeline.registry import integrity
from mnist_pipeline.training import predictor
from tests import synthetic
from tests.repository import Repository, environment

WITH_MLFLOW = """
import mlflow, numpy, sys
model = mlflow.pyfunc.load_model(sys.argv[1])
print(model.predict(numpy.zeros((3, 1, 28, 28), numpy.float32)).shape)
"""
WITHOUT_MLFLOW = """
import importlib, json, sys, torch
from safetensors.torch import load_file
sys.path.insert(0, ".")
recipe = json.load(open("model.json"))["recipe"]
network = importlib.import_module(recipe["network"]).network(**recipe["options"])
network.load_state_dict(load_file("weights.safetensors"))
print(tuple(network.eval()(torch.zeros(3, 1, 28, 28)).shape), "mlflow" in sys.modules)
"""


@pytest.fixture(scope="module")
def pulled(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pulled") / "champion"
    Repository(built).run("mnist", "pull", str(folder))
    return folder


def python(code: str, *arguments: str, cwd: Path) -> str:
    clean = environment(MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false")
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_folder_has_signature_requirements_weights_and_card(built: Path, pulled: Path) -> None:
    names = {str(path.relative_to(pulled)) for path in pulled.rglob("*") if path.is_file()}
    assert {"MLmodel", "requirements.txt", "README.md", "data/model.pt2"} <= names
    for name in ("weights.safetensors", "model.json"):
        assert (pulled / "extra_files" / name).read_bytes() == (built / "models/plain" / name).read_bytes()
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pth", ".part"))]


def test_the_card_says_data_recipe_accuracy_confusion_limits_and_licence(built: Path, pulled: Path) -> None:
    card = (pulled / "README.md").read_text(encoding="utf-8")
    known = json.loads((built / "models/plain/model.json").read_text(encoding="utf-8"))
    figures = json.loads((built / "metrics/models/plain.json").read_text(encoding="utf-8"))
    for expected in (*known["data_sha256"].values(), "95 % interval", f"{figures['test_accuracy']:.2%}", '"adamw"'):
        assert expected in card
    rows = [line for line in card.splitlines() if line.startswith("| **")]
    cells = [[int(cell) for cell in row.split("|")[2:-1]] for row in rows]
    assert sum(map(sum, cells)) - sum(cells[digit][digit] for digit in range(10)) == figures["test_errors"]
    assert "## Known limits" in card
    assert "## Licence" in card


def test_the_card_begins_with_what_hugging_face_reads(built: Path, pulled: Path) -> None:
    figures = json.loads((built / "metrics/models/plain.json").read_text(encoding="utf-8"))
    card = ModelCard.load(pulled / "README.md")
    accuracy, loss = card.data.eval_results
    assert (card.data.license, card.data.library_name, card.data.model_name) == ("unknown", "pytorch", "tiny-plain")
    assert (accuracy.task_type, accuracy.dataset_type, accuracy.dataset_split) == (
        "image-classification",
        "tiny",
        "test",
    )
    assert (accuracy.metric_type, accuracy.metric_value) == ("accuracy", figures["test_accuracy"])
    assert (loss.metric_type, loss.metric_value) == ("loss", figures["test_loss"])
    assert card.text.lstrip().startswith("# tiny version")


def test_it_predicts_by_its_folder_alone(built: Path, pulled: Path, tmp_path: Path) -> None:
    repository, picture = Repository(built), tmp_path / "0.png"
    Image.fromarray(synthetic.digits(1, seed=5)[0][0]).save(picture)
    here = repository.run("mnist", "predict", "--json", "--model", "plain", str(picture))
    assert repository.run("mnist", "predict", "--json", "--from", str(pulled), str(picture)) == here


def test_with_onnx_the_same_model_lies_beside_the_folder_and_nothing_is_overwritten(
    built: Path, pulled: Path, tmp_path: Path
) -> None:
    repository, folder, exported = Repository(built), tmp_path / "new", tmp_path / "new.onnx"
    said = repository.run("mnist", "pull", "--onnx", str(folder))
    content = exported.read_bytes()
    assert said.splitlines()[-1] == f"{hashlib.sha256(content).hexdigest()}  {exported}"
    assert content == export.export(Eager(predictor.load(built / "models/plain")), folder)
    assert (folder / integrity.SUMS).read_bytes() == (pulled / integrity.SUMS).read_bytes()
    shutil.rmtree(folder)
    said = repository.run("mnist", "pull", "--onnx", str(folder), code=1)
    assert said.startswith(f"error: {exported}: is there already and is not overwritten; ")
    assert not folder.exists()


@pytest.mark.parametrize("file", ["extra_files/model.json", "data/model.pt2", "SHA256SUMS"])
def test_a_pulled_folder_that_was_changed_predicts_nothing(
    file: str, built: Path, pulled: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(pulled, folder)
    with (folder / file).open("ab") as stream:
        stream.write(b"0  more\n")
    said = Repository(built).run("mnist", "predict", "--from", str(folder), "0.png", code=1)
    assert said.startswith(f"error: {folder}: {'more' if file == 'SHA256SUMS' else file} arrived with SHA-256 ")


def test_another_folder_is_not_taken_for_a_pulled_one(built: Path) -> None:
    said = Repository(built).run("mnist", "predict", "--from", "models/plain", "0.png", code=1)
    assert said == "error: models/plain: expected a folder that `mnist pull` made, found no SHA256SUMS in it\n"


def test_it_loads_with_mlflow_from_anywhere(pulled: Path, tmp_path: Path) -> None:
    assert python(WITH_MLFLOW, str(pulled), cwd=tmp_path) == "(3, 10)\n"


def test_it_loads_without_mlflow_and_without_this_project(pulled: Path) -> None:
    assert python(WITHOUT_MLFLOW, cwd=pulled / "extra_files") == "(3, 10) False\n"


def test_by_version_and_by_commit_the_very_same_weights(built: Path, tmp_path: Path) -> None:
    repository, weights = Repository(built), lockfile.md5(built / "models/weak/weights.safetensors")
    for name, arguments in (("v", ["--version", "2"]), ("c", ["--commit", "HEAD", "--model", "weak"])):
        assert "tiny version 2 (weak)" in repository.run("mnist", "pull", *arguments, str(tmp_path / name))
        assert lockfile.md5(tmp_path / name / "extra_files/weights.safetensors") == weights


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--version", "9"], "tiny: no version 9 is registered; there are: 1, 2"),
        (["--alias", "king"], "no version bears the alias king"),
        (["--commit", "HEAD"], "--commit and --model go together"),
        (["--commit", "HEAD", "--model", "plain", "--version", "1"], "exclude each other"),
        (["--commit", "HEAD~1", "--model", "plain"], "has no dvc.lock"),
    ],
)
def test_what_is_not_there_is_refused(arguments: list[str], reason: str, built: Path, tmp_path: Path) -> None:
    assert reason in Repository(built).run("mnist", "pull", *arguments, str(tmp_path / "new"), code=1)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_stays_as_it_is(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "not empty" in Repository(built).run("mnist", "pull", str(tmp_path), code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_link_is_not_pulled_into(built: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    output = Repository(built).run("mnist", "pull", str(tmp_path / "link"), code=1)
    assert (
        output == f"error: {tmp_path / 'link'}: is there already and not empty, or a link; name a folder that is new\n"
    )


def test_a_folder_below_a_file_is_refused_in_one_line(built: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("mine")
    for folder in (file / "new", file / "new" / "er"):
        output = Repository(built).run("mnist", "pull", str(folder), code=1)
        reason = f"error: {folder}: expected a folder above it, found the file {file}; name another place"
        assert output.splitlines()[-1] == reason
        assert "Traceback" not in output
    assert file.read_text() == "mine"


def test_weights_that_are_not_the_registered_ones_are_refused(filled: Repository, tmp_path: Path) -> None:
    for weights in (filled.path / ".mlflow").rglob("weights.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    output = filled.run("mnist", "pull", str(tmp_path / "new"), code=1)
    assert "weights.safetensors arrived with SHA-256" in output
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("s3://bucket/x", "No module named"),
        ("ftp://127.0.0.1:1/x", "Connection refused"),
        ("http://other.example/x", "at another server, http://other.example, which is not asked for them"),
    ],
)
def test_files_that_are_somewhere_else_end_in_a_line(
    place: str, reason: str, filled: Repository, tmp_path: Path
) -> None:
    """As those of a server whose files are in a cloud, which MLflow needs other packages for."""
    filled.query(f"UPDATE model_versions SET source = '{place}', storage_location = '{place}'")  # noqa: S608
    output = filled.run("mnist", "pull", str(tmp_path / "new"), code=1)
    assert reason in output.splitlines()[-1]
    assert "Traceback" not in output


def test_after_a_move_models_load_again(filled: Repository, tmp_path: Path) -> None:
    assert "every address leads to where the artifacts are" in filled.run("mnist", "relocate")
    moved = Repository(Path(shutil.move(filled.path, tmp_path / "elsewhere, with späces")))
    assert "if its folder was moved: mnist relocate" in moved.run("mnist", "pull", "model", code=1)
    assert "nothing was changed" in moved.run("mnist", "relocate")
    assert "the store has no files of it" in moved.run("mnist", "pull", "model", code=1)
    lines = moved.run("mnist", "relocate", "--apply")
    assert "runs.artifact_uri: 2" in lines
    assert "model_versions.storage_location: 2" in lines
    assert "tiny version 1 (plain) is in model" in moved.run("mnist", "pull", "model")
    assert "every address leads to where the artifacts are" in moved.run("mnist", "relocate")
    moved.run("mnist", "publish")
    assert moved.published() == {"runs": 2, "unfinished": 0, "models": 2, "versions": 2}

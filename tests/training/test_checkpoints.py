"""Models on disk: what was saved comes back to the bit, whole or not at all, and without pickle."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mnist_pipeline import networks
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.training import checkpoints, loop, optimizers
from mnist_pipeline.training.checkpoints import OtherCodeError
from mnist_pipeline.training.loop import Training
from tests import synthetic

ROOT = Path(__file__).parents[2]
FILES = ["model.json", "optimizer.json", "optimizer.safetensors", "weights.safetensors"]
RECIPES: list[dict[str, Any]] = [
    {},
    {"network": "convnet", "options": {"width": 4}},
    {"optimizer": {"name": "sgd", "learning_rate": 0.1}},
    {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}},
]


@pytest.mark.parametrize("changes", RECIPES)
def test_training_goes_on_from_a_saved_model_as_if_it_had_not_stopped(changes: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "small"
    trained = synthetic.train(folder, **changes)
    network, manifest = checkpoints.load(folder)
    resumed = Training(network, optimizers.build(network, manifest.recipe.optimizer), manifest.recipe, seed=1)
    groups = json.loads((folder / checkpoints.OPTIMIZER_GROUPS).read_text("utf-8"))
    checkpoints.restore_optimizer(resumed.optimizer, load_file(folder / checkpoints.OPTIMIZER), groups)
    images, labels = synthetic.dataset(40, seed=9).batch(torch.arange(40))
    for one in (trained, resumed):
        one.network.train()
        loop.step(one, images, labels)
    before, after = trained.network.state_dict(), resumed.network.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert resumed.optimizer.param_groups[0]["lr"] == trained.optimizer.param_groups[0]["lr"]


def test_a_model_comes_back_with_its_card_on_the_cpu_and_in_eval_mode(tmp_path: Path) -> None:
    synthetic.train(tmp_path / "small", network="cnn_avgpool")
    network, manifest = checkpoints.load(tmp_path / "small")
    assert manifest == synthetic.manifest(synthetic.checked_recipe(network="cnn_avgpool"))
    assert not network.training
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


@pytest.mark.parametrize("changes", RECIPES)
def test_the_same_model_is_saved_as_the_same_bytes(changes: dict[str, Any], tmp_path: Path) -> None:
    for name in ("one", "two"):
        synthetic.train(tmp_path / name, **changes)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_saving_replaces_all_of_an_older_model(tmp_path: Path) -> None:
    synthetic.train(tmp_path / "small", network="cnn_avgpool")
    (tmp_path / "small" / "left").touch()
    synthetic.train(tmp_path / "small")
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == FILES
    assert checkpoints.load_manifest(tmp_path / "small").recipe.network == "mlp_28"
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


@pytest.mark.parametrize("older", [True, False])
def test_a_model_that_cannot_be_written_whole_is_not_there(older: bool, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    spec = synthetic.checked_recipe()
    if older:
        synthetic.train(folder)
    before = {path.name: path.read_bytes() for path in folder.glob("*")}
    network = networks.build("mlp_28")
    optimizer = optimizers.build(network, spec.optimizer)
    optimizer.param_groups[0]["lr"] = object()  # which JSON can't hold: the weights are written by then
    with pytest.raises(TypeError):
        checkpoints.save(folder, network, optimizer, synthetic.manifest(spec))
    assert {path.name: path.read_bytes() for path in folder.glob("*")} == before
    assert folder.exists() == older


def change(tensors: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Path], object]:
    return lambda path: save_file(tensors(load_file(path)), path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change(lambda tensors: dict(list(tensors.items())[1:])), r'Missing key\(s\) in state_dict: "1.bias"'),
        (change(lambda tensors: tensors | {"9.bias": torch.zeros(1)}), r'Unexpected key\(s\) in state_dict: "9.bias"'),
        (change(lambda tensors: tensors | {"3.bias": torch.zeros(11)}), "size mismatch for 3.bias"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "does not fit network mlp_28: "),
        (lambda path: path.write_bytes(b""), "does not fit network mlp_28: "),
        (lambda path: path.unlink(), "No such file"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(
    damage: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    synthetic.train(tmp_path)
    damage(tmp_path / checkpoints.WEIGHTS)
    with pytest.raises(PipelineError, match=message) as raised:
        checkpoints.load(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / checkpoints.WEIGHTS}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content | {"colour": 1},
            "not the manifest of a model: colour: Extra inputs are not permitted",
        ),
        (
            lambda content: {**content, "seed": "1"},
            "not the manifest of a model: seed: Input should be a valid integer",
        ),
        (
            lambda content: content | {"model": "a/b"},
            "not the manifest of a model: model: String should match pattern",
        ),
        (lambda _: [], "not the manifest of a model: .*should be an object"),
    ],
)
def test_a_card_that_is_not_ours_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    synthetic.train(tmp_path)
    path = tmp_path / checkpoints.MANIFEST
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))), "utf-8")
    with pytest.raises(PipelineError, match=message) as raised:
        checkpoints.load_manifest(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_manifest_that_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / checkpoints.MANIFEST).write_bytes(content)
    with pytest.raises(PipelineError, match=r"model\.json: not the manifest of a model: "):
        checkpoints.load_manifest(tmp_path)


@pytest.mark.parametrize("change", [b" ", b"\n", b"\nraise SystemExit\n"])
def test_a_network_of_other_bytes_than_the_one_here_is_refused_not_run(change: bytes, tmp_path: Path) -> None:
    synthetic.train(tmp_path)
    theirs, ours = tmp_path / "mlp_28.py", networks.source("mlp_28")
    theirs.write_bytes(ours.read_bytes())
    checkpoints.load(tmp_path)
    theirs.write_bytes(ours.read_bytes() + change)
    with pytest.raises(OtherCodeError, match=re.escape(f"{theirs}: is the network of these weights; {ours} differs")):
        checkpoints.load(tmp_path)


def test_a_network_that_was_edited_since_its_first_use_is_not_taken_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, text = tmp_path / "edited.py", networks.source("mlp_28").read_text("utf-8")
    here.write_text(text, "utf-8")
    monkeypatch.setattr(networks, "__path__", [str(tmp_path)])
    model = tmp_path / "model"
    synthetic.train(model, network="edited")
    (model / here.name).write_text(text.replace("nn.ReLU()", "nn.GELU()"), "utf-8")
    for _ in range(2):
        with pytest.raises(OtherCodeError, match=r"edited\.py differs from it, as this process has it; check out"):
            checkpoints.load(model)
        here.write_bytes((model / here.name).read_bytes())


def test_a_network_that_is_not_here_is_named(tmp_path: Path) -> None:
    synthetic.train(tmp_path)
    path = tmp_path / checkpoints.MANIFEST
    path.write_text(path.read_text("utf-8").replace("mlp_28", "of_tomorrow"), "utf-8")
    (tmp_path / "of_tomorrow.py").touch()
    with pytest.raises(
        OtherCodeError, match=r"networks/of_tomorrow\.py is not there, as this process has it; check out a commit"
    ):
        checkpoints.load(tmp_path)


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"model\.json: not found; train it with `make repro`, or get it back"):
        checkpoints.load(tmp_path)


def test_no_source_file_pickles() -> None:
    sources = [path for part in ("src", "stages", "studies") for path in ROOT.glob(f"{part}/**/*.py")]
    assert ROOT / "src/mnist_pipeline/training/checkpoints.py" in sources
    pickling = re.compile(r"torch\.(load|save)\b|\bpickle\b|allow_pickle|joblib|shelve")
    assert not [path for path in sources if pickling.search(path.read_text("utf-8"))]

"""A small study of its own, run by the real DVC: the test images every epoch, every epoch's model, the table."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.nn import functional

from mnist_pipeline.core import params
from mnist_pipeline.core.files import read_json, write_json
from mnist_pipeline.training import evaluation, history, loop
from tests import synthetic
from tests.repository import PARTS, ROOT, STUDY, Repository, create, outcomes

MODELS = {
    "letter": synthetic.recipe(schedule={"name": "constant"}, epochs=2),
    "cnn_avgpool_softmax": synthetic.recipe(network="cnn_avgpool", options={"softmax": True}, epochs=3),
}
KEPT = "models/cnn_avgpool_softmax/epochs"

CPU = torch.device("cpu")


@pytest.fixture
def study(published: Path, tmp_path: Path) -> Repository:
    """The folder of a study in a repository in which nothing was run yet."""
    data = synthetic.data_params(published, [str(published)])
    repository = create(tmp_path / "project", synthetic.params(data), parts=(*PARTS, *STUDY))
    study = Repository(repository.path / "studies" / "published")
    study.write_params(synthetic.params(data, models=MODELS, split={"seed": 0, "validation": 0}))
    (study.path / "reported.csv").write_text(
        "model,reported_accuracy\nletter,0.5\ncnn_avgpool_softmax,\n", encoding="utf-8"
    )
    write_json(study.path / "measured.json", {"models": {}})
    repository.commit("A study")
    return study


def test_a_study_from_nothing_to_its_table(study: Repository) -> None:
    whole = Repository(study.path.parents[1])
    whole.run("dvc", "repro", "studies/published/dvc.yaml")
    assert "not yet measured" in (study.path / "results/table.md").read_text(encoding="utf-8")
    for epoch in ("01", "02", "03"):
        assert read_json(study.path / f"{KEPT}/{epoch}/model.json")["recipe"]["epochs"] == 3
    last, final = (
        study.path / f"{place}/weights.safetensors" for place in (f"{KEPT}/03", "models/cnn_avgpool_softmax")
    )
    assert last.read_bytes() == final.read_bytes()
    assert not (study.path / "models/letter/epochs").exists()
    seen = history.read(study.path / "results/train/letter/history.csv")
    assert history.epochs(seen)["images_seen"].tolist() == [400, 800]
    figures = read_json(study.path / "metrics/models/letter.json")
    assert history.epochs(seen)["test_accuracy"].iloc[-1] == figures["test_accuracy"]
    assert pd.read_csv(study.path / "results/epochs.csv")["model"].tolist() == 2 * ["letter"] + 3 * [
        "cnn_avgpool_softmax"
    ]
    assert not list(whole.path.glob("**/.resume/*"))
    before = study.lock()
    assert set(outcomes(study.run("mnist", "repro")).values()) == {"unchanged"}

    study.commit("Results")
    refuses_seconds_of_other_weights_or_code(study)
    study.run("python", "../measure.py")
    assert outcomes(study.run("mnist", "repro"))["table"] == "ran"
    commit = study.run("git", "rev-parse", "HEAD").strip()
    assert f"at commit {commit}" in (study.path / "results/table.md").read_text(encoding="utf-8")
    table = pd.read_csv(study.path / "results/table.csv").set_index("model")
    assert table.loc["letter", "reached"] == "yes"
    assert table["reached"].isna().tolist() == [False, True]
    assert (table["training_seconds"] > 0).all()
    assert study.lock().partition(b"  table:")[0] == before.partition(b"  table:")[0]
    measured = (study.path / "measured.json").read_bytes()
    study.run("python", "../measure.py")
    assert (study.path / "measured.json").read_bytes() == measured


def refuses_seconds_of_other_weights_or_code(study: Repository) -> None:
    timing, code = study.path / ".timings/letter.json", study.path.parents[1] / "src/mnist_pipeline/training/loop.py"
    for path, content, message in (
        (timing, '{"weights_sha256": "0", "training_seconds": 1.0}', "were not trained here"),
        (code, code.read_text(encoding="utf-8") + "# changed\n", "have changes: commit them"),
    ):
        before = path.read_bytes()
        path.write_text(content, encoding="utf-8")
        assert message in study.run("python", "../measure.py", code=1)
        path.write_bytes(before)


@pytest.mark.parametrize("network", ["cnn_avgpool", "cnn_5x5"])
def test_the_published_flaw_is_a_softmax_before_the_loss_alone(network: str) -> None:
    data = synthetic.dataset(100)
    still = {"name": "sgd", "learning_rate": 1e-30}
    plain, flawed = (
        loop.start(synthetic.checked_recipe(network=network, options=options, optimizer=still, batch=100), 1, CPU)
        for options in ({}, {"softmax": True})
    )
    said = evaluation.predict(plain.network, data, data.all(), plain.recipe.scaling)
    loop.fit(flawed, (data, data.all()), {"test": (data, data.all())})
    expected = functional.cross_entropy(said.logits.softmax(dim=1), said.labels)
    if network == "cnn_5x5":  # batchnorm of the other one normalises otherwise while it trains
        assert flawed.history[-1]["training_loss"] == pytest.approx(float(expected), rel=1e-5)
    assert flawed.history[-1]["test_loss"] == pytest.approx(float(expected), rel=1e-3)
    assert said.loss != pytest.approx(float(expected), rel=1e-4)


def test_a_study_needs_a_split_in_which_nothing_is_chosen(study: Repository) -> None:
    study.write_params(study.params() | {"split": {"seed": 0, "validation": 50}})
    said = study.run("dvc", "repro", "--quiet", "train@letter", code=255)
    assert "expected split.validation 0, found 50" in said


def test_the_published_recipes_are_those_of_the_write_ups() -> None:
    settings = params.load(ROOT / "studies/published/params.yaml")
    said = {
        name: (
            recipe.network,
            recipe.optimizer.model_dump(exclude={"weight_decay", "nesterov", "betas"}),
            (recipe.scaling.mean, recipe.scaling.std),
            (recipe.batch, recipe.epochs, recipe.log_every),
            recipe.options,
        )
        for name, recipe in settings.models.items()
    }
    adam, plain = {"name": "adamw"}, (0.0, 1.0)
    sgd, slow = {"name": "sgd", "learning_rate": 0.003, "momentum": 0.9}, {"name": "sgd", "learning_rate": 0.02}
    assert said == {
        "mlp_28": ("mlp_28", adam | {"learning_rate": 1e-3}, (0.1307, 0.3081), (64, 1, 100), {}),
        "mlp_128_64": ("mlp_128_64", sgd, (0.5, 0.5), (64, 15, 100), {}),
        "cnn_avgpool": ("cnn_avgpool", adam | {"learning_rate": 1e-2}, plain, (32, 50, 100), {}),
        "cnn_avgpool_softmax": (
            *("cnn_avgpool", adam | {"learning_rate": 1e-2}, plain, (32, 50, 100)),
            {"softmax": True},
        ),
        "cnn_separable": ("cnn_separable", slow | {"momentum": 0.0}, plain, (64, 3, 10), {}),
        "cnn_5x5": ("cnn_5x5", adam | {"learning_rate": 5e-4}, plain, (100, 10, 100), {}),
        "cnn_5x5_softmax": (
            *("cnn_5x5", adam | {"learning_rate": 5e-4}, plain, (100, 10, 100)),
            {"softmax": True},
        ),
    }
    assert {recipe.schedule.name for recipe in settings.models.values()} == {"constant"}
    assert settings.split.validation == 0
    assert all(recipe.augmentation is None for recipe in settings.models.values())

"""Recipes under seeds that draw the split too, in a small study by the real DVC; and what the README shows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from mnist_pipeline.core.files import read_json, write_json
from tests import synthetic
from tests.repository import PARTS, ROOT, Repository, create, outcomes

FOLDER = Path("studies/frontier")
CODE = [str(FOLDER / name) for name in ("seeded.py", "table.py", "measure.py", ".gitignore", "dvc.yaml")]
MODELS = {
    name: synthetic.recipe(epochs=epochs) for name, epochs in (("convnet", 0.5), ("pooled_24", 1), ("residual_24", 0.5))
}


@pytest.fixture
def study(published: Path, tmp_path: Path) -> Repository:
    """The folder of a study with three recipes under two seeds, in a repository in which nothing was run yet."""
    data = synthetic.data_params(published, [str(published)])
    repository = create(tmp_path / "project", synthetic.params(data), parts=(*PARTS, *CODE))
    study = Repository(repository.path / FOLDER)
    study.write_params(synthetic.params(data, models=MODELS))
    pipeline = YAML(typ="safe").load(study.path / "dvc.yaml")
    names = {f"{recipe}_{seed}": {"recipe": recipe} for recipe in MODELS for seed in (1, 2)}
    names["pooled_24_0"] = {"recipe": "pooled_24"}  # on the split of params.yaml; part of no row
    pipeline["vars"] = [{"trainings": {key: one | {"network": "mlp_28"} for key, one in names.items()}}]
    YAML().dump(pipeline, study.path / "dvc.yaml")
    write_json(study.path / "measured.json", {"core_seconds": {"convnet": 4.0, "pooled_24": 1.0, "residual_24": 2.0}})
    repository.commit("A study")
    return study


def test_seeds_draw_splits_and_the_table_is_their_mean(study: Repository) -> None:
    study.run("mnist", "repro")
    assert set(outcomes(study.run("mnist", "repro")).values()) == {"unchanged"}
    manifests = [read_json(study.path / f"models/pooled_24_{seed}/model.json") for seed in (1, 2)]
    assert [(one["seed"], one["split"]["seed"]) for one in manifests] == [(1, 1), (2, 2)]
    assert manifests[0]["training_images_sha256"] != manifests[1]["training_images_sha256"]
    table = pd.read_csv(study.path / "results/table.csv").set_index("recipe")
    found = [read_json(study.path / f"metrics/models/pooled_24_{seed}.json")["test_accuracy"] for seed in (1, 2)]
    assert table.loc["pooled_24", "test_accuracy"] == pytest.approx(sum(found) / 2)
    assert table.loc["pooled_24", "ratio"] == 0.25
    assert list(table["seeds"]) == [2, 2, 2]
    labels = pd.read_csv(study.path / "results/test/pooled_24_1/predictions.csv")["label"]

    def together(*names: str) -> float:
        files = [study.path / f"results/test/{name}/probabilities.npy" for name in names]
        return float((sum(map(np.load, files)).argmax(axis=1) == labels).mean())

    pair, others = ("pooled_24_1", "pooled_24_2"), ("residual_24_1", "residual_24_2")
    assert table.loc["pooled_24", "together"] == pytest.approx(together(*pair))
    said = (study.path / "results/table.md").read_text(encoding="utf-8").splitlines()[-1]
    assert said == f"All 4 networks of `pooled_24` and `residual_24` together: {together(*pair, *others):.2%}."


def test_a_network_of_the_study_becomes_champion_of_the_projects_own(study: Repository) -> None:
    """It has another name than a recipe of params.yaml, and the same validation images as the project's own."""
    study.run("mnist", "repro", "evaluate@pooled_24_[01]")
    study.run(
        "mnist", "publish", "pooled_24_0", "pooled_24_1", MLFLOW_TRACKING_URI=f"sqlite:///{study.path}/../../own.db"
    )
    root = Repository(study.path.parents[1])
    said = root.run("mnist", "history", MLFLOW_TRACKING_URI="sqlite:///own.db")
    assert "pooled_24_0" in said
    assert "pooled_24_1" not in said
    assert not (study.path / ".mlflow/receipt.json").exists()


def test_seconds_are_of_whole_trainings(study: Repository) -> None:
    study.run("dvc", "repro", "verify")
    study.run("python", "measure.py")
    seconds = read_json(study.path / "measured.json")["core_seconds"]
    assert seconds.keys() == MODELS.keys()
    assert min(seconds.values()) > 0


def test_the_readme_has_the_table_of_the_results() -> None:
    table = (ROOT / FOLDER / "results/table.md").read_text(encoding="utf-8")
    assert table in (ROOT / FOLDER / "README.md").read_text(encoding="utf-8")

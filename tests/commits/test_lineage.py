"""From a commit to its models, their runs and versions; from a version back to the commits that hold it."""

from pathlib import Path

import pytest

from mnist_pipeline.commits import lineage, lockfile
from mnist_pipeline.core.errors import PipelineError
from tests.repository import Repository


def test_models_of_a_commit_with_md5_metrics_run_and_version(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)
    models = {model.model: model for model in lineage.models_at("main")}
    assert list(models) == ["plain", "weak"]
    weights = built / "models/plain/weights.safetensors"
    assert models["plain"].weights_md5 == lockfile.md5(weights)
    assert models["plain"].folder_md5 == lockfile.md5(weights.parent)
    assert models["plain"].figures["test_errors"] >= 0
    output = Repository(built).run("mnist", "lineage", "HEAD")
    line = next(line for line in output.splitlines() if line.strip().startswith("plain"))
    run = Repository(built).query("SELECT run_uuid FROM runs WHERE name = 'plain'")[0][0]
    for expected in (models["plain"].folder_md5, str(models["plain"].weights_md5), "1 champion", run):
        assert expected in line


def test_a_commit_without_results_and_an_unknown_revision_are_named(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    with pytest.raises(PipelineError, match=r"HEAD~1: has no dvc\.lock; that is there once `make repro` ran"):
        lineage.models_at("HEAD~1")
    with pytest.raises(PipelineError, match="nowhere: no commit, tag, branch or experiment"):
        lineage.models_at("nowhere")
    with pytest.raises(PipelineError, match="no model large; there are: plain, weak"):
        lineage.model_at("HEAD", "large")


def test_in_a_clone_without_cache_and_store_the_md5_of_the_folder_and_the_metrics_remain(
    project: Repository, tmp_path: Path
) -> None:
    clone = project.clone(tmp_path / "clone")
    output = clone.run("mnist", "lineage", "HEAD")
    assert lockfile.load(project.path / "dvc.lock").outputs("train@plain")["models/plain"] in output
    assert "nothing is registered in sqlite:///" in output
    assert not (clone.path / ".mlflow").exists(), "looking makes no store"
    assert "nothing is published here" in clone.run("mnist", "lineage", "--version", "1", code=1)


def test_a_version_leads_to_every_commit_branch_and_experiment_that_holds_it(project: Repository) -> None:
    project.repro()
    project.run("git", "tag", "first")
    project.run("dvc", "exp", "run", "--name", "trial", "--set-param", "models.weak.epochs=2")
    project.run("git", "checkout", "--quiet", "--force", "-b", "other")
    params = project.params()
    params["models"]["weak"]["epochs"] = 3
    project.write_params(params)
    project.repro()
    project.commit("Three epochs")

    plain, weak = (project.run("mnist", "lineage", "--version", number).splitlines()[1:] for number in ("1", "2"))
    assert [line.split(maxsplit=2)[2].split(" (")[0] for line in plain if "Three" in line or "Results" in line] == [
        "Three epochs",
        "Results",
    ]
    assert any("refs/exps" in line and "trial" in line for line in plain)
    assert [line for line in weak if "Three" in line or "trial" in line] == []
    assert any("first" in line for line in weak)
    trial = project.run("mnist", "lineage", "trial")
    assert "3" in trial.splitlines()[-1].split(), "the experiment's version"


def test_weights_are_found_wherever_dvcs_cache_is(project: Repository, tmp_path: Path) -> None:
    weights = lockfile.md5(project.path / "models/plain/weights.safetensors")
    (project.path / ".dvc" / "cache").rename(tmp_path / "elsewhere")
    assert weights not in project.run("mnist", "lineage", "HEAD")
    project.run("dvc", "cache", "dir", "--local", str(tmp_path / "elsewhere"))
    assert weights in project.run("mnist", "lineage", "HEAD")


@pytest.mark.parametrize(
    ("file", "content"), [("params.yaml", "models: ["), ("params.yaml", "- a"), ("dvc.lock", "<<<<<")]
)
def test_a_commit_whose_files_are_damaged_is_one_line(file: str, content: str, project: Repository) -> None:
    (project.path / file).write_text(content, encoding="utf-8")
    project.commit("Damaged")
    error = project.run("mnist", "lineage", "HEAD", code=1)
    assert error.startswith(f"error: HEAD: {file}: damaged: ")
    assert error.count("\n") == 1


def test_a_damaged_lock_in_the_history_is_passed_over(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    lock = project.path / "dvc.lock"
    whole = lock.read_text(encoding="utf-8")
    lock.write_text(f"<<<<<<< HEAD\n{whole}", encoding="utf-8")
    project.commit("A conflict")
    results = lockfile.parse(whole.encode()).results("plain")
    [line] = lineage.commits_with("plain", results)
    assert "Results" in line

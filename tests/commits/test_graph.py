"""The stages of dvc.yaml at a commit: as DVC itself names them, whatever they are multiplied by."""

import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from mnist_pipeline.commits import graph, revision
from mnist_pipeline.core.errors import PipelineError

PARAMS = "models: {a: {}, b: {}}\nsizes: {small: {s: 1}}\n"
GRAPHS = {
    "the recipes": "stages: {first: {cmd: echo}, train: {foreach: '${models}', do: {cmd: 'echo ${key}'}}}",
    "names of its own": "vars: [{runs: {a_1: {}}}]\nstages: {train: {foreach: '${runs}', do: {cmd: 'echo ${key}'}}}",
    "a name below another": "stages: {train: {foreach: '${sizes.small}', do: {cmd: 'echo ${key}'}}}",
    "keys that stand there": "stages: {train: {foreach: {x: 1, y: 2}, do: {cmd: 'echo ${key}'}}}",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    return tmp_path


@pytest.mark.parametrize("text", GRAPHS.values(), ids=GRAPHS.keys())
def test_stages_are_those_that_dvc_finds(folder: Path, text: str) -> None:
    (folder / "dvc.yaml").write_text(text)
    with Repo() as repo:
        expected = [stage.addressing for stage in repo.index.stages]
    assert sorted(graph.stages(revision.at(None))) == sorted(expected)


@pytest.mark.parametrize("text", ["{matrix: {m: [a], s: [1, 2]}, cmd: echo}", "{foreach: '${a.b}', do: {}}"])
def test_of_what_else_multiplies_them_they_are_those_of_the_lock(folder: Path, text: str) -> None:
    (folder / "dvc.yaml").write_text(f"vars:\nstages: {{train: {text}}}")
    (folder / "dvc.lock").write_text("stages: {verify: {cmd: echo}}")
    with pytest.raises(PipelineError, match=r"dvc\.lock: expected stages train@…"):
        graph.stages(revision.at(None))
    (folder / "dvc.lock").write_text("stages: {train@a-1: {cmd: echo a}, trained@b: {cmd: echo b}}")
    assert graph.stages(revision.at(None)) == ["train@a-1"]


@pytest.mark.parametrize("text", ["stages: []", "[", "- 1"])
def test_a_damaged_file_is_named(folder: Path, text: str) -> None:
    (folder / "dvc.yaml").write_text(text)
    with pytest.raises(PipelineError, match=r"^working tree: dvc\.yaml: damaged: "):
        graph.stages(revision.at(None))
    (folder / "dvc.yaml").unlink()
    with pytest.raises(PipelineError, match=r"has no dvc\.yaml"):
        graph.stages(revision.at(None))

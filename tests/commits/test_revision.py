"""A commit, or the files as they are: what is read of it, and that what is missing or damaged is one line."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from mnist_pipeline.commits import provenance, revision
from mnist_pipeline.core.errors import PipelineError
from tests.repository import Repository

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit with one evaluated model of two, then another accuracy in the working tree."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("models: {b: {}, a: {}}\n")
    (tmp_path / "metrics/models").mkdir(parents=True)
    (tmp_path / "metrics/models/a.json").write_text('{"test_accuracy": 0.5}')
    (tmp_path / "results/test/a").mkdir(parents=True)
    (tmp_path / "results/test/a/predictions.csv").write_text("index,label,predicted\n0,7,1\n")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"], ["tag", "v1"]):
        subprocess.run([*GIT, *command], check=True)
    (tmp_path / "metrics/models/a.json").write_text('{"test_accuracy": 0.75}')
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_commit_and_the_working_tree_each_have_their_own() -> None:
    assert revision.at("v1").metrics("a") == {"test_accuracy": 0.5}
    assert revision.at(None).metrics("a") == {"test_accuracy": 0.75}
    assert revision.at("v1").predictions("a").to_dict("list") == {"index": [0], "label": [7], "predicted": [1]}


@pytest.mark.usefixtures("folder")
def test_models_are_those_that_were_evaluated() -> None:
    assert revision.at("main").models == ["a"]
    assert list(revision.at("main").params["models"]) == ["b", "a"]


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(PipelineError, match=r"v1: has no metrics/models/b\.json"):
        revision.at("v1").metrics("b")
    with pytest.raises(PipelineError, match=r"working tree: has no dvc\.lock"):
        _ = revision.at(None).lock
    with pytest.raises(PipelineError, match="nothing: no commit"):
        revision.at("nothing")
    (folder / "metrics/models/b.json").write_text(json.dumps({}))
    assert revision.at(None).models == ["b", "a"]


@pytest.mark.parametrize("text", [b"a: " + b"[" * 3000, b"a: !!int x", b"a: &x 1\nb: &x 2\n", b"\xff", b"models: []"])
def test_settings_that_are_no_yaml_of_one_meaning_are_damaged(folder: Path, text: bytes) -> None:
    (folder / "params.yaml").write_bytes(text)
    with pytest.raises(PipelineError, match=r"^working tree: params\.yaml: damaged: [^\n]*$"):
        _ = revision.at(None).params


def test_settings_are_read_as_dvc_reads_them(folder: Path) -> None:
    (folder / "params.yaml").write_text("rate: 1e-3\nword: no\n", encoding="utf-8")
    assert revision.at(None).params == {"rate": 0.001, "word": "no"}


def test_an_empty_history_is_damaged(folder: Path) -> None:
    (folder / "results/train/a").mkdir(parents=True)
    (folder / "results/train/a/history.csv").touch()
    with pytest.raises(PipelineError, match=r"^working tree: results/train/a/history\.csv: damaged: No columns"):
        revision.at(None).history("a")


def test_json_that_is_nested_too_deeply_is_damaged(folder: Path) -> None:
    (folder / "metrics/models/a.json").write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(PipelineError, match=r"^working tree: metrics/models/a\.json: damaged: "):
        revision.at(None).metrics("a")


@pytest.mark.usefixtures("folder")
def test_a_commit_may_have_an_empty_subject_and_changes_are_as_git_prints_them() -> None:
    subprocess.run([*GIT, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", ""], check=True)
    origin = provenance.of(revision.at(None))
    assert (origin["subject"], origin["changes"]) == ("", [" M metrics/models/a.json"])
    assert provenance.of(revision.at("v1"))["subject"] == "first"


def test_names_may_be_any_bytes(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (folder / name).touch()
    for command in (["add", "-A"], ["commit", "-qm", "named"], ["tag", name]):
        subprocess.run([*GIT, *command], check=True)
    tagged = revision.at(name)
    assert str(tagged).startswith("caf? (")
    assert tagged.metrics("a") == {"test_accuracy": 0.75}


def test_what_dvcs_cache_holds_is_checked(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    head = revision.at("HEAD")
    listing = head.listing(head.lock.outputs("train@plain")["models/plain"])
    assert listing is not None
    md5 = listing["weights.safetensors"]
    assert head.cached(md5) == Path("models/plain/weights.safetensors").read_bytes()
    assert (head.cached("0" * 32), head.listing(f"{'0' * 32}.dir")) == (None, None)
    cached = head.cache / "files" / "md5" / md5[:2] / md5[2:]
    cached.chmod(0o644)
    cached.write_bytes(b"damaged")
    assert head.cached(md5) is None

"""The library: champion first, and every model fetched and loaded once, however many ask at the same time."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from mnist_pipeline import networks
from mnist_pipeline.app import hosting, library
from mnist_pipeline.app.library import LateError, Library
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry.tags import Version
from mnist_pipeline.training import predictor
from mnist_pipeline.training.checkpoints import OtherCodeError
from tests.repository import ROOT, environment
from tests.shelf import CHAMPION, OTHER, Registry, entry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def test_the_champion_comes_first_then_the_newest(registry: Registry, tmp_path: Path) -> None:
    assert list(registry.library(tmp_path).versions) == [2, 3, 1]


def test_a_model_is_that_of_its_folder(registry: Registry, tmp_path: Path) -> None:
    images = 255 * torch.rand(3, 1, 28, 28)
    ours = registry.library(tmp_path / "kept").classifier(CHAMPION)
    theirs = predictor.load(registry.folder / str(CHAMPION))
    assert torch.equal(ours(images), theirs(images))


def test_fifty_at_once_fetch_and_load_it_once(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, loaded = predictor.load, list[Path]()

    def counted(folder: Path) -> predictor.Classifier:
        loaded.append(folder)
        return load(folder)

    monkeypatch.setattr(predictor, "load", counted)
    shelf = registry.library(tmp_path / "kept")
    with ThreadPoolExecutor(50) as threads:
        found = set(threads.map(shelf.classifier, [CHAMPION] * 50))
    assert (len(found), len(loaded), registry.fetched) == (1, 1, [CHAMPION])


def test_what_was_fetched_is_kept_for_the_next_time(registry: Registry, tmp_path: Path) -> None:
    for _ in range(2):
        registry.library(tmp_path / "kept").classifier(CHAMPION)
    assert registry.fetched == [CHAMPION]


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "mlp_28.py", "SHA256SUMS", "added.py"])
@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink(missing_ok=True)])
def test_what_was_kept_and_damaged_since_is_fetched_again(
    name: str, damage: Callable[[Path], object], registry: Registry, tmp_path: Path
) -> None:
    registry.library(tmp_path / "kept").classifier(1)
    (kept,) = (path.parent for path in (tmp_path / "kept").rglob("model.json"))
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    damage(kept / name)
    damaged = {path.name: path.read_bytes() for path in kept.iterdir()} != before
    assert registry.library(tmp_path / "kept").classifier(1)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    assert registry.fetched == [1, 1] if damaged else [1]


def test_a_fetch_that_was_cut_off_leaves_nothing_behind(registry: Registry, tmp_path: Path) -> None:
    def cut_off(version: Version, folder: Path) -> None:
        registry.fetch(version, folder)
        (folder / "weights.safetensors").unlink()
        raise PipelineError("the registry went away")

    with pytest.raises(PipelineError, match="the registry went away"):
        Library([registry.entry(1)], cut_off, tmp_path / "kept").classifier(1)
    assert registry.library(tmp_path / "kept").classifier(1)
    assert registry.fetched == [1, 1]


def test_a_fetch_of_another_page_is_not_waited_for_without_end(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was fetched before needs no lock. The first version that is late is the last that is asked for."""
    kept = tmp_path / "kept"
    registry.library(kept).classifier(CHAMPION)
    shelf = registry.library(kept)
    with FileLock(kept / "lock"):
        monkeypatch.setattr(library, "SECONDS", 0.5)
        with pytest.raises(
            LateError, match=r"version 3.*: waited 0 s for .*/lock, while this or another `mnist app` fe"
        ):
            shelf._place(shelf.versions[3])
        monkeypatch.setattr(library, "SECONDS", 2.0)
        hosting.warm_up(shelf)
        assert (registry.fetched, list(shelf._loading)) == ([CHAMPION], [CHAMPION, OTHER])
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("version 3 is not ready: ")
    shelf._loading[OTHER].exception()  # it may have come by the lock, and fetches on


def test_a_registry_that_hangs_keeps_nobody_from_ending(tmp_path: Path) -> None:
    code = f"""
import pathlib, time
from mnist_pipeline.app import library
from tests.shelf import entry

library.SECONDS = 0.5
try:
    library.Library([entry(1)], lambda *_: time.sleep(1000), pathlib.Path({str(tmp_path)!r})).classifier(1)
except library.LateError as error:
    print(error)
"""
    variables = environment(PYTHONPATH=f"{ROOT / 'src'}:{ROOT}")
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=60)
    assert "version 1: the registry has not handed it over" in done.stdout


def test_what_a_registry_calls_a_digest_leads_nowhere_else(registry: Registry, tmp_path: Path) -> None:
    strange = dataclasses.replace(entry(1), tags={"sha256sums": "../../elsewhere"})
    with pytest.raises(PipelineError, match=r"version 1 .*: tag sha256sums: expected a SHA-256, found '\.\./"):
        Library([strange], registry.fetch, tmp_path / "kept").classifier(1)
    unchecked = dataclasses.replace(entry(1), tags={})
    with pytest.raises(PipelineError, match=r"version 1 .*: says no digest of its files; `mnist publish` its commit"):
        Library([unchecked], registry.fetch, tmp_path / "kept").classifier(1)
    assert registry.fetched == []


@pytest.mark.parametrize("change", [b"", b" ", b"\nopen('marker', 'w').close()\n"])
def test_a_version_of_another_network_is_not_computed_with_this_one(
    change: bytes, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor with its own, which is never run."""
    monkeypatch.chdir(tmp_path)
    registry.network = networks.source("mlp_28").read_bytes() + change
    shelf = registry.library(tmp_path / "kept")
    if not change:
        assert shelf.classifier(CHAMPION)
        return
    for _ in range(2):
        with pytest.raises(OtherCodeError, match=r"mlp_28\.py differs from it, .*: mnist lineage --version 2$"):
            shelf.classifier(CHAMPION)
    assert list(shelf.unavailable) == [CHAMPION]
    assert not Path("marker").exists()

"""The same bits wherever the repository is: odd folder names, shallow clones, worktrees, one inside another."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MODELS
from tests.faults.conftest import Write
from tests.repository import ROOT, Repository

pytestmark = pytest.mark.faults
Place = Callable[[Repository, Path], Repository]
FROM_CACHE = {"ran": 1, "unchanged": 3 + 2 * len(MODELS)}  # publish alone has nothing to restore
FROM_NOTHING = {"ran": 4 + 2 * len(MODELS)}


def named(name: str) -> Place:
    return lambda built, folder: built.clone(folder / name)


def shallow(built: Repository, folder: Path) -> Repository:
    built.run("git", "clone", "--quiet", "--depth", "1", built.path.as_uri(), str(folder / "shallow"))
    return Repository(folder / "shallow")


def worktree(built: Repository, folder: Path) -> Repository:
    clone = built.clone(folder / "main")
    clone.run("git", "worktree", "add", "--quiet", str(folder / "worktree"))
    return Repository(folder / "worktree")


def _outer(folder: Path) -> Repository:
    """A repository of Git and of DVC that would ignore all that is inside."""
    outer = Repository(folder / "outer")
    outer.path.mkdir()
    (outer.path / ".gitignore").write_text("*\n", encoding="utf-8")
    (outer.path / "params.yaml").write_text("seed: none\n", encoding="utf-8")
    outer.run("git", "init", "--quiet")
    outer.run("dvc", "init", "--quiet")
    return outer


def inside_another(built: Repository, folder: Path) -> Repository:
    return built.clone(_outer(folder).path / "inner")


def part_of_another(built: Repository, folder: Path) -> Repository:
    """Without a history of its own: a folder of a larger repository."""
    outer = Repository(folder / "outer")
    inner = Repository(built.clone(outer.path / "projects" / "digits").path)
    shutil.rmtree(inner.path / ".git")
    outer.run("git", "init", "--quiet")
    outer.commit("A project as a folder")
    return inner


PLACES: dict[str, Place] = {
    "a folder with spaces, quotes and letters of any alphabet": named("Zahlen & Bücher 数字 'x'"),
    "a folder with what means something in an address": named('50%20of "it" #1 [a]; why? $HOME'),
    "a shallow clone": shallow,
    "a worktree": worktree,
    "a clone inside another repository of Git and DVC": inside_another,
    "a folder of another repository": part_of_another,
}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_places(built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    """From nothing in full, else with the first folder's data and models from the cache of where they were built."""
    rows = []
    for number, (name, make) in enumerate(PLACES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = make(Repository(built), folder)
        cached = not full and number > 1
        if cached:
            place.run("dvc", "cache", "dir", "--local", str(built / ".dvc" / "cache"))
            place.run("dvc", "checkout", "--quiet")
        ran = list(place.repro().values())
        counts = {outcome: ran.count(outcome) for outcome in sorted(set(ran))}
        assert counts == (FROM_CACHE if cached else FROM_NOTHING), name
        assert place.lock() == Repository(built).lock(), name
        assert set(place.repro().values()) == {"unchanged"}, name
        _use(place, folder, name)
        rows.append({"place": name, "stages": "from the cache" if cached else "all ran", "dvc.lock": "the same"})
    record("Places", "In each: repro, repro again with nothing to do, predict, lineage, pull, history, make.", rows)


def _use(place: Repository, folder: Path, name: str) -> None:
    assert place.published() == {"runs": 2, "unfinished": 0, "models": 2, "versions": 2}, name
    assert "digit.png" in place.run("mnist", "predict", str(ROOT / "docs" / "digit.png"))
    lineage = place.run("mnist", "lineage", "HEAD")
    assert all(f"\n {model}" in lineage or f"\n{model}" in lineage for model in sorted(MODELS)), lineage
    assert "champion" in lineage
    assert "version" in place.run("mnist", "pull", str(folder / "pulled"))
    assert (folder / "pulled" / "README.md").exists()
    assert "publish" in place.run("mnist", "history")
    assert "every address leads" in place.run("mnist", "relocate")
    assert place.status() == "", name

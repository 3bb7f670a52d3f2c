"""The same bits wherever the repository is: odd folder names, shallow clones, worktrees, one inside another."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import MODELS
from tests.faults.conftest import Write
from tests.repository import ROOT, Repository

pytestmark = pytest.mark.faults
Place = Callable[[Repository, Path], Repository]


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
    (outer.path / "params.yaml").write_text("seed: none\n", encoding="utf-8")
    outer.run("git", "init", "--quiet")
    outer.run("dvc", "init", "--quiet")
    (outer.path / ".gitignore").write_text("*\n", encoding="utf-8")
    return outer


def inside_another(built: Repository, folder: Path) -> Repository:
    return built.clone(_outer(folder).path / "inner")


def part_of_another(built: Repository, folder: Path) -> Repository:
    """Without a history of its own: a folder of a larger repository."""
    outer = Repository(folder / "outer")
    inner = built.clone(outer.path / "projects" / "digits")
    shutil.rmtree(inner.path / ".git")
    outer.run("git", "init", "--quiet")
    outer.commit("A project as a folder")
    return inner


PLACES: dict[str, Place] = {
    "a folder with spaces, quotes and letters of any alphabet": named("Zahlen & Bücher 数字 'x'"),
    "a folder with what means something in an address": named('50%20of "it" #1 [a]; why?'),
    "a shallow clone": shallow,
    "a worktree": worktree,
    "a clone inside another repository of Git and DVC": inside_another,
    "a folder of another repository": part_of_another,
}


def test_places(built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    """All from nothing in full; else four of them, two with data and models from the cache of where they were built."""

    def visit(number: int) -> dict[str, str]:
        name, folder = list(PLACES)[number], tmp_path / str(number)
        folder.mkdir()
        cached = not full and number > 1
        _check(name, PLACES[name](Repository(built), folder), Repository(built), cached)
        return {
            "place": name,
            "stages": "publish; the rest from the cache" if cached else "all",
            "dvc.lock": "the same",
        }

    with ThreadPoolExecutor(2) as executor:
        rows = list(executor.map(visit, range(len(PLACES) if full else 4)))
    record(
        "Places",
        "In each: repro, repro again with nothing to do, predict, lineage, pull; nothing changed for git.",
        rows,
    )


def _check(name: str, place: Repository, built: Repository, cached: bool) -> None:
    if cached:
        place.run("dvc", "cache", "dir", "--local", str(built.path / ".dvc" / "cache"))
        place.run("dvc", "checkout", "--quiet")
    else:
        (place.path / "dvc.lock").unlink()
    ran = [stage for stage, outcome in place.repro().items() if outcome == "ran"]
    assert len(ran) == (1 if cached else 4 + 2 * len(MODELS)), f"{name}: {ran}"
    assert place.lock() == built.lock(), name
    assert set(place.repro().values()) == {"unchanged"}, name
    assert place.published() == {"runs": 2, "unfinished": 0, "models": 2, "versions": 2}, name
    assert "digit.png" in place.run("mnist", "predict", str(ROOT / "docs" / "digit.png")), name
    lineage = place.run("mnist", "lineage", "HEAD")
    assert all(model in lineage for model in (*MODELS, "1 champion")), f"{name}: {lineage}"
    assert "version" in place.run("mnist", "pull", str(place.path.parent / "pulled")), name
    assert (place.path.parent / "pulled" / "README.md").exists(), name
    shutil.rmtree(place.path.parent / "pulled")  # another repository may be around this one
    assert place.status() == "", name

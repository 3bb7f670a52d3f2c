"""`dvc plots` by the real DVC: with the page that needs no network, and without."""

from pathlib import Path

import pytest

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.report import vega
from tests.repository import Repository

SERVER = "https://cdn.jsdelivr.net"


def plots(repository: Repository, *command: str) -> str:
    repository.run("dvc", "plots", *(command or ("show",)), "--out", "elsewhere/plots")
    return (repository.path / "elsewhere/plots/index.html").read_text(encoding="utf-8")


@pytest.fixture
def ready(project: Repository) -> Repository:
    """The repository after the page was installed in it, by the command that `make setup` calls."""
    said = project.run("mnist", "plots-page")
    assert said == "dvc plots writes pages that need no network, by .dvc/plots.html\n"
    return project


def test_plots_show_and_diff_name_no_server(ready: Repository) -> None:
    (ready.path / "elsewhere").mkdir()
    for command in (("show",), ("diff", "HEAD")):
        page = plots(ready, *command)
        assert SERVER not in page
        assert page.count("vegaEmbed('#") == 2 * 2 + 2  # history and predictions of two models, two charts of all
        assert "window.vegaEmbed" in page


def test_git_sees_nothing_of_it_and_a_clone_has_the_page_of_dvc(ready: Repository, tmp_path: Path) -> None:
    assert ready.status() == ""
    clone = ready.clone(tmp_path / "clone")
    (clone.path / "elsewhere").mkdir()
    assert SERVER in plots(clone)


def test_it_moves_with_the_repository(ready: Repository, tmp_path: Path) -> None:
    moved = Repository(ready.path.rename(tmp_path / "mit Ümlaut und Leerzeichen"))
    (moved.path / "elsewhere").mkdir()
    assert SERVER not in plots(moved)


def test_a_page_that_someone_chose_is_kept(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    project.run("dvc", "config", "--local", vega.OPTION, "mine.html")
    assert vega.install_page() == "dvc plots keeps the page that was chosen for it: mine.html"
    assert project.run("dvc", "config", vega.OPTION).strip() == "mine.html"


def test_outside_a_repository_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match=r"\.dvc: not found; run this in a clone"):
        vega.install_page()
    assert list(tmp_path.iterdir()) == []

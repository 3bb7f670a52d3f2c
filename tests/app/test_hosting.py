"""Running the page: the address, what is loaded before the first request, and what is said when it can't start."""

from pathlib import Path

import pytest

from mnist_pipeline.app import hosting
from mnist_pipeline.app.library import Library
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry.versions import Version
from tests.repository import ROOT, Repository
from tests.shelf import CHAMPION, Registry, entry


def test_an_address_that_is_taken_is_named() -> None:
    with hosting.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PipelineError, match=rf"^127\.0\.0\.1:{port}: .*; choose another address with --host and"):
            hosting.listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PipelineError, match=r"^192\.0\.2\.1:8000: "):
        hosting.listen("192.0.2.1", 8000)


def test_every_model_is_ready_before_the_first_request(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    hosting.warm_up(registry.library(tmp_path / "kept"))
    assert registry.fetched == [CHAMPION, 3, 1]


@pytest.mark.parametrize("broken", [1, CHAMPION])
def test_only_the_champion_has_to_be_there(broken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(tmp_path / "registry")

    def fetch(version: Version, folder: Path) -> None:
        if version.number == broken:
            raise PipelineError("gone")
        registry.fetch(version, folder)

    library = Library([entry(1), entry(CHAMPION, champion=True)], fetch, tmp_path / "kept")
    if broken == CHAMPION:
        with pytest.raises(PipelineError, match="gone"):
            hosting.warm_up(library)
    else:
        hosting.warm_up(library)
        assert capsys.readouterr().err == "version 1 is not ready: gone\n"


def test_without_a_registered_model_one_line_says_what_to_do(project: Repository) -> None:
    output = project.run("mnist", "app", "--port", "0", code=1, PYTHONPATH=str(ROOT / "src"))
    last = output.splitlines()[-1]
    assert last.startswith("error: ")
    assert "make repro" in last
    assert "Traceback" not in output

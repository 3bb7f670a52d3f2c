"""A DVC project of shell commands, for tests of the runner that need no stage of the real pipeline."""

from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from mnist_pipeline.pipeline import repro


class Project:
    """The project in the working directory. `log` gets a line from each command that says so."""

    log = Path("log")

    def write(self, **stages: Any) -> None:
        """Its stages: each with a command; outputs and inputs are what DVC calls them."""
        YAML().dump({"stages": stages}, Path("dvc.yaml"))

    def run(self, jobs: int = 1, **seconds: float) -> list[str]:
        """As `mnist repro` does; returns the stages that ran."""
        return [*repro.repro(jobs, seconds, lambda _: True)]

    def logged(self) -> list[str]:
        return self.log.read_text("utf-8").split() if self.log.exists() else []


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty one, with a file `source` to depend on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".site"))
    Path("source").write_text("content\n", encoding="utf-8")
    with Repo.init(no_scm=True):
        return Project()

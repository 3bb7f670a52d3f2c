"""What many tests need: a folder with a small data set, verified, to work in."""

from pathlib import Path

import pytest

from mnist_pipeline import params, verification
from tests import synthetic


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four `.gz` files of a small data set; not to be written to."""
    folder = tmp_path_factory.mktemp("published")
    synthetic.write(folder)
    return folder


@pytest.fixture
def settings(published: Path) -> params.Params:
    """Valid settings for that data set."""
    return params.parse(synthetic.params(synthetic.data_params(published, [str(published)])), "test")


@pytest.fixture
def workspace(tmp_path: Path, published: Path, settings: params.Params, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the working directory, with `data/idx` made from the small data set."""
    monkeypatch.chdir(tmp_path)
    verification.verify(settings.data, published)
    return tmp_path

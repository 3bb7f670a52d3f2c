"""The versions as the database has them, read without MLflow: they are those that MLflow finds in it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.store.db.utils import _get_latest_schema_revision

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import connection, lookup, store, versions

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")  # MLflow's own


@pytest.fixture
def database(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, which is the one to ask; MLflow has not seen it yet."""
    file = Path(shutil.copy(empty_store, tmp_path / "50%?.db"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.sqlite(file))
    return file


@pytest.fixture
def filled(database: Path) -> Path:
    """With versions whose tags and aliases are odd."""
    with connection.existing() as client:
        for name in ("tiny", "other"):
            client.create_registered_model(name)
        for number in range(1, 13):
            tags = {"model": 'm\n\x01\\"ü', "test_accuracy": "0.5", "parameters": "few" if number == 3 else "9"}
            client.create_model_version("tiny", str(database.parent), run_id="r" if number == 2 else None, tags=tags)
        client.create_model_version("other", str(database.parent), tags={"content": "not asked for"})
        client.delete_model_version("tiny", "4")
        for alias in ("champion", "mine"):
            client.set_registered_model_alias("tiny", alias, "11")
    _change(database, "UPDATE model_versions SET source = 'models:/m-1' WHERE version = 1")
    return database


def _change(database: Path, how: str) -> None:
    with closing(sqlite3.connect(database)) as link, link:
        link.execute(how)


@pytest.mark.parametrize("name", ["tiny", "unknown", "it's"])
def test_they_are_those_that_mlflow_finds(name: str, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = lookup.all_of(name)
    noted = capsys.readouterr().err
    assert lookup._rows(filled, name) is not None, "MLflow was asked"
    assert len(found) == (11 if name == "tiny" else 0)
    assert ("'parameters'='few' of tiny version 3" in noted) == (name == "tiny")
    if name != "it's":  # MLflow's queries have no word for it
        with connection.existing():
            assert found == versions.all_of(name)


def test_the_schema_is_that_of_the_installed_mlflow() -> None:
    assert (_get_latest_schema_revision(), 0) == lookup.SCHEMA


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = 'other'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
        "INSERT INTO registered_models (name, workspace) VALUES ('tiny', 'mine')",
    ],
)
def test_tables_that_are_not_as_expected_are_left_to_mlflow(change: str, database: Path) -> None:
    _change(database, change)
    assert lookup._rows(database, "tiny") is None
    if "alembic" in change:
        with pytest.raises(PipelineError, match=r"MLflow's store at .* out-of-date database schema"):
            lookup.all_of("tiny")


def test_what_is_wrong_with_a_damaged_database_mlflow_says(database: Path) -> None:
    database.write_bytes(b"no database" * 1000)
    with pytest.raises(PipelineError, match=r"MLflow's store at .* file is not a database"):
        lookup.all_of("tiny")

"""Stores that were moved, copied or shared: only what moved is led to its new place, after a copy of the database."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.repository import Repository

AWAY = """
import mlflow, sys
client = mlflow.MlflowClient("sqlite:///.mlflow/mlflow.db")
folder = sys.argv[1]
run = client.create_run(client.create_experiment("theirs", artifact_location=f"file://{folder}/artifacts"))
client.log_text(run.info.run_id, "theirs", "note.txt")
"""
EXPERIMENT = """
import mlflow
from mnist_pipeline.registry import store
mlflow.MlflowClient(store.address()).create_experiment("tiny", store.artifacts())
"""


def _addresses(store: Path) -> set[str]:
    with closing(sqlite3.connect(store)) as link:
        return {row[0] for row in link.execute("SELECT artifact_uri FROM runs")}


LOOK = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "sqlite3.connect" else None)
from mnist_pipeline.registry import relocation
print("\\n".join(relocation.relocate(apply=False)))
assert list(map(str, opened)) == [str(relocation.store.database())], opened
"""


def test_experiments_of_another_living_project_stay_where_they_are(filled: Repository, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    filled.run("python3", "-c", AWAY, str(theirs))
    moved = Repository(Path(shutil.move(filled.path, tmp_path / "elsewhere")))
    lines = moved.run("mnist", "relocate", "--apply")
    assert "runs.artifact_uri: 2" in lines
    addresses = _addresses(moved.path / ".mlflow/mlflow.db")
    assert [one for one in addresses if one.startswith(f"file://{theirs}/")] != []
    assert len(addresses) == 3
    shutil.rmtree(theirs)
    assert "every address leads to where the artifacts are" in moved.run("mnist", "relocate"), "they are not here"


def test_the_database_is_copied_before_it_is_changed(filled: Repository, tmp_path: Path) -> None:
    before = _addresses(filled.path / ".mlflow/mlflow.db")
    moved = Repository(Path(shutil.move(filled.path, tmp_path / "elsewhere")))
    assert "runs.artifact_uri: 2" in moved.run("python3", "-c", LOOK), "to look takes no copy, not even in memory"
    assert _addresses(moved.path / ".mlflow/mlflow.db") == before
    lines = moved.run("mnist", "relocate", "--apply")
    (backup,) = (moved.path / ".mlflow").glob("mlflow.db.*.backup")
    assert f"was copied to {backup} before" in lines
    assert _addresses(backup) == before
    assert all(one.startswith(moved.path.as_uri()) for one in _addresses(moved.path / ".mlflow/mlflow.db"))


def test_a_moved_store_without_any_run_is_not_published_to_either(project: Repository, tmp_path: Path) -> None:
    """As one whose runs `mlflow gc` removed, or whose first publisher was killed; its experiment names the old one."""
    project.run("python3", "-c", EXPERIMENT)
    moved = Repository(Path(shutil.move(project.path, tmp_path / "elsewhere")))
    assert "was moved here" in moved.run("mnist", "publish", code=1)
    moved.run("mnist", "relocate", "--apply")
    moved.run("mnist", "publish")
    assert not project.path.exists()


@pytest.mark.parametrize("other", [False, True])
def test_a_moved_store_is_not_published_to_before_it_is_relocated(
    other: bool, filled: Repository, tmp_path: Path
) -> None:
    """Also where another repository has taken the former place, with runs of its own or none."""
    moved = Repository(Path(shutil.move(filled.path, tmp_path / "elsewhere")))
    if other:
        (filled.path / ".mlflow/artifacts/1").mkdir(parents=True)
    output = moved.run("mnist", "publish", code=1)
    assert f"was moved here from {filled.path}/.mlflow; run: mnist relocate --apply" in output
    written = [str(path) for path in filled.path.rglob("*") if path.is_file()]
    assert (written, filled.path.exists()) == ([], other), "nothing was written to the former place"
    moved.run("mnist", "relocate", "--apply")
    moved.run("mnist", "publish")


@pytest.mark.parametrize("place", ["elsewhere", ".mlflow"])
def test_a_copied_database_with_another_name_uploads_nothing_to_the_original(filled: Repository, place: str) -> None:
    store, copy = filled.path / ".mlflow/mlflow.db", filled.path / place / "try.db"
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(store, copy)
    with closing(sqlite3.connect(copy)) as link, link:
        link.execute("DELETE FROM model_version_tags WHERE key = 'network_sha256'")  # so that files are made anew
    files = {path: path.stat().st_mtime_ns for path in (filled.path / ".mlflow/artifacts").rglob("*")}
    output = filled.run("mnist", "publish", code=1, MLFLOW_TRACKING_URI=f"sqlite:///{copy}")
    assert f"{copy}: is a copy of {store}, and" in output
    assert {path: path.stat().st_mtime_ns for path in (filled.path / ".mlflow/artifacts").rglob("*")} == files
    filled.run("mnist", "publish")
    copy.unlink()
    filled.run("mnist", "publish", MLFLOW_TRACKING_URI=f"sqlite:///{copy}")


def test_a_copied_database_is_found_out_whatever_the_original_is_called(filled: Repository, tmp_path: Path) -> None:
    store, copy = tmp_path / "one/store.backup", tmp_path / "two/other.sqlite"
    for folder in (store.parent, copy.parent):
        folder.mkdir()
    filled.run("mnist", "publish", MLFLOW_TRACKING_URI=f"sqlite:///{store}")
    shutil.copy(store, copy)
    output = filled.run("mnist", "publish", code=1, MLFLOW_TRACKING_URI=f"sqlite:///{copy}")
    assert f"{copy}: is a copy of {store}, and" in output


def test_a_database_with_its_artifacts_elsewhere_is_published_to(filled: Repository, tmp_path: Path) -> None:
    """When it alone was moved, and what lies beside the artifacts is no other database of MLflow's."""
    alone = Path(shutil.move(filled.path / ".mlflow/mlflow.db", tmp_path / "alone.db"))
    (filled.path / ".mlflow/thumbs.db").write_bytes(b"no database")
    (filled.path / ".mlflow/empty.db").touch()
    filled.run("mnist", "publish", MLFLOW_TRACKING_URI=f"sqlite:///{alone}")


def test_a_copied_repository_writes_nothing_into_the_original(filled: Repository, tmp_path: Path) -> None:
    """Neither by publishing nor by relocation; what it says to do helps."""
    copied = Repository(Path(shutil.copytree(filled.path, tmp_path / "copy", symlinks=True)))
    files = {path: path.stat().st_mtime_ns for path in filled.path.rglob("*")}
    copied.edit("metrics/models/weak.json", test_loss=0.0)
    output = copied.run("mnist", "publish", code=1)
    store = copied.path / ".mlflow/mlflow.db"
    assert f"{store}: is a copy of {filled.path}/.mlflow/mlflow.db" in output
    assert "Traceback" not in output
    assert "is a copy of" in " ".join(copied.run("mnist", "doctor", code=1).split())
    assert "every address leads" in copied.run("mnist", "relocate", "--apply")
    store.unlink()
    copied.run("mnist", "publish")
    assert copied.published()["versions"] == 2
    assert {path: path.stat().st_mtime_ns for path in filled.path.rglob("*")} == files

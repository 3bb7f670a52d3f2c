"""Where the store is, what is shown of its address, and when a receipt no longer holds."""

import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from mnist_pipeline.core import files, paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.registry import store
from tests.repository import environment


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:secret@example.org:5000/store", "http://example.org:5000/store"),
        ("postgresql://user:secret@localhost/mlflow", "postgresql://localhost/mlflow"),
        ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_an_address_is_shown_without_credentials(address: str, shown: str) -> None:
    assert store.shown(address) == shown


def test_the_store_is_in_the_real_repository_unless_the_environment_names_another(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.database() == here / ".mlflow" / "mlflow.db"
    monkeypatch.setenv("DVC_ROOT", str(here / "real"))
    assert store.database() == here / "real" / ".mlflow" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mine.db")
    assert store.address() == store.sqlite(here / "real/mine.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert (store.address(), store.database()) == ("http://127.0.0.1:5000", None)


@pytest.mark.parametrize("address", ["sqlite+pysqlite:////srv/s.db", "sqlite:///file:/srv/s.db?uri=true", "sqlite://"])
def test_another_spelling_of_a_database_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock and its artifacts would be looked for elsewhere."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(
        PipelineError, match=r"MLFLOW_TRACKING_URI: expected sqlite:////path/of/a/file\.db, found sqlite"
    ):
        store.database()


@pytest.mark.parametrize("name", ["a b", "100%", "%20", "why?", "C#", "Zahlen & 数字"])
def test_any_folder_can_hold_the_store(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / name).mkdir()
    monkeypatch.chdir(here / name)
    assert store.database() == here / name / ".mlflow" / "mlflow.db"
    assert make_url(store.address()).database == str(here / name / ".mlflow" / "mlflow.db")


@pytest.fixture
def receipt(here: Path, built: Path) -> Path:
    """What a publication leaves: a store with all of it, and the receipt."""
    (here / ".mlflow").mkdir()
    shutil.copy(built / paths.DATABASE, paths.DATABASE)
    store.leave_receipt(files.read_json(built / paths.RECEIPT))
    return paths.RECEIPT


def test_a_receipt_holds_while_nothing_changes(receipt: Path) -> None:
    store.forget_stale_receipt()
    assert receipt.exists()


@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM runs WHERE name = 'weak'",
        "UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'weak'",
        "DELETE FROM model_version_tags",
        "DROP TABLE model_versions",
    ],
)
def test_a_receipt_is_forgotten_when_the_store_lost_something(receipt: Path, loss: str) -> None:
    with closing(sqlite3.connect(paths.DATABASE)) as link:
        link.execute(loss)
        link.commit()
    store.forget_stale_receipt()
    assert not receipt.exists()


def test_a_receipt_is_forgotten_with_its_store(receipt: Path) -> None:
    paths.DATABASE.unlink()
    store.forget_stale_receipt()
    assert not receipt.exists()


@pytest.mark.usefixtures("receipt")
def test_a_receipt_is_forgotten_when_the_address_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    store.forget_stale_receipt()
    assert not paths.RECEIPT.exists()
    store.leave_receipt({})
    store.forget_stale_receipt()
    assert paths.RECEIPT.exists()
    assert "secret" not in paths.PUBLISHED_TO.read_text(encoding="utf-8")


def test_a_receipt_of_an_experiment_is_forgotten(receipt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "trial")
    store.leave_receipt(files.read_json(receipt))
    monkeypatch.delenv("DVC_EXP_NAME")
    store.forget_stale_receipt()
    assert not receipt.exists()


HOLDER = """
import time
from mnist_pipeline.registry import store
with store.lock():
    print("held", flush=True)
    time.sleep(float(__import__("sys").argv[1]))
"""


@contextmanager
def _held(seconds: float) -> Iterator[int]:
    """Another process holds the lock so long; its number."""
    command = [sys.executable, "-c", HOLDER, str(seconds)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.kill()


def test_who_waits_for_the_lock_says_for_whom(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with _held(0.5) as process, store.lock():
        pass
    file = here / ".mlflow" / "mlflow.db.lock"
    assert (
        f"note: waiting for {file}, held by process {process} on {platform.node()} since 20" in capsys.readouterr().err
    )


def test_waiting_for_the_lock_ends_with_the_name_of_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.3)
    with _held(60) as process, pytest.raises(PipelineError) as refused, store.lock():
        pass
    assert f"still held by process {process} on {platform.node()} since 20" in str(refused.value)
    with store.lock():
        """The kernel took it from the one that was killed."""


def test_the_lock_lies_beside_the_database_and_is_no_file_of_a_user(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "lock").write_text("mine")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/shared.db")
    with store.lock():
        assert (here / "shared.db.lock").exists()
    assert (here / "lock").read_text() == "mine"

"""Where the store is, what is shown of its address, and when a receipt no longer holds."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from mnist_pipeline.core import files, paths
from mnist_pipeline.registry import store


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
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert (store.address(), store.database()) == ("http://127.0.0.1:5000", None)


@pytest.mark.parametrize("name", ["a b", "100%", "%20", "why?", "C#", "Zahlen & 数字"])
def test_any_folder_can_hold_the_store(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / name).mkdir()
    monkeypatch.chdir(here / name)
    assert store.database() == here / name / ".mlflow" / "mlflow.db"
    assert make_url(store.address()).database == str(here / name / ".mlflow" / "mlflow.db")


def _publish(here: Path) -> None:
    files.write_json(here / ".mlflow" / "mlflow.db", "a database")
    store.leave_receipt({"small": "content"})


def test_a_receipt_holds_while_nothing_changes(here: Path) -> None:
    _publish(here)
    store.forget_stale_receipt()
    assert paths.RECEIPT.exists()


def test_a_receipt_is_forgotten_with_its_store(here: Path) -> None:
    _publish(here)
    (here / ".mlflow" / "mlflow.db").unlink()
    store.forget_stale_receipt()
    assert not paths.RECEIPT.exists()


def test_a_receipt_is_forgotten_when_the_address_changes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _publish(here)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:5000")
    store.forget_stale_receipt()
    assert not paths.RECEIPT.exists()
    store.leave_receipt({})
    store.forget_stale_receipt()
    assert paths.RECEIPT.exists()
    assert "secret" not in paths.PUBLISHED_TO.read_text(encoding="utf-8")


def test_a_receipt_of_an_experiment_is_forgotten(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "trial")
    _publish(here)
    monkeypatch.delenv("DVC_EXP_NAME")
    store.forget_stale_receipt()
    assert not paths.RECEIPT.exists()

"""What `mnist doctor` says of sources and stores, with real servers and databases, well and not."""

import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mnist_pipeline.core import params, paths
from mnist_pipeline.doctor import checks, examination
from mnist_pipeline.doctor.examination import Check, Finding
from tests import mirror
from tests.mirror import Fault
from tests.repository import Repository

LABELS = "t10k-labels-idx1-ubyte.gz"


def ask(settings: params.Params, place: str) -> Finding:
    return Check("source", None, lambda: checks.source(settings.data, place))()


def test_a_server_that_has_the_files_and_a_folder_that_has_them_are_ok(
    settings: params.Params, server: str, published: Path
) -> None:
    for place in (server, f"{server}/", str(published), published.as_uri()):
        assert ask(settings, place) == Finding("source", "ok", "serves the files")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "404 Client Error: Not Found for url: "),
        ("too short", f"{LABELS}: size: expected "),
        ("wrong bytes", f"{LABELS}: digest (SHA-256): expected "),
        ("hangs up", "can't be reached: "),
    ],
)
def test_a_server_that_fails_says_how(fault: Fault, said: str, settings: params.Params, published: Path) -> None:
    with mirror.serve(published, fault) as broken:
        found = ask(settings, broken.address)
    assert found.state == "mend"
    assert found.found.startswith(said)


def test_an_address_where_nobody_answers_and_folders_without_the_files(
    settings: params.Params, folder: Path, published: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "ConnectionRefusedError" in ask(settings, f"http://127.0.0.1:{port}").found
    assert "No such file or directory: 'nowhere/train-images-idx3-ubyte.gz'" in ask(settings, "nowhere").found
    shutil.copytree(published, folder / "copy")
    (folder / "copy" / LABELS).write_bytes((folder / "copy" / LABELS).read_bytes()[:-1])
    assert ask(settings, "copy").found.startswith(f"{LABELS}: size: expected ")


def test_sources_are_to_be_mended_only_when_none_works() -> None:
    broken, works = Finding("a", "note", "gone"), Finding("b", "ok", "there")
    silent = Finding("c", "mend", "no answer within 6 s", "try again later")
    weighed = examination.weigh([broken, works, silent])
    assert [(one.state, one.found) for one in weighed] == [("note", "gone"), ("ok", "there"), ("note", silent.found)]
    assert {weighed[0].advice, weighed[2].advice} == {"not needed while another source works"}
    (alone,) = examination.weigh([broken])
    assert (alone.state, alone.found) == ("mend", "gone")
    assert examination.weigh([]) == []


def test_a_store_that_is_not_there_yet_is_worth_a_note() -> None:
    assert Check("store", None, lambda: checks.store("tiny"))().state == "note"
    assert not paths.STORE.exists()


def test_a_store_that_nobody_can_write_to_says_why(folder: Path) -> None:
    (folder / paths.STORE).mkdir()
    with closing(sqlite3.connect(folder / paths.DATABASE)) as other:
        other.execute("CREATE TABLE something (number)")
        other.commit()
        other.execute("BEGIN IMMEDIATE")
        assert "database is locked" in Check("store", None, lambda: checks.store("tiny"))().found
    (folder / paths.DATABASE).write_bytes(b"no database " * 1000)
    found = Check("store", None, lambda: checks.store("tiny"))()
    assert (found.state, found.found.rpartition(": ")[2]) == ("mend", "file is not a database")


def test_a_store_is_opened_and_counted(built: Path) -> None:
    output = Repository(built).run("mnist", "doctor", code=1)
    assert "versions of tiny: 2" in " ".join(output.split())


def test_a_store_that_was_moved_is_noticed_and_so_is_a_copy(filled: Repository, tmp_path: Path) -> None:
    copied = Repository(Path(shutil.copytree(filled.path, tmp_path / "copied", symlinks=True)))
    output = " ".join(copied.run("mnist", "doctor", code=1).split())
    assert "is a copy of" in output
    assert "relocate" not in output
    moved = Repository(Path(shutil.move(filled.path, tmp_path / "moved")))
    output = moved.run("mnist", "doctor", code=1)
    assert "mend  mlflow store: was moved: " in output
    assert "→ mnist relocate --apply" in output


def test_a_server_for_the_store_that_is_not_there_is_named(project: Repository) -> None:
    shutil.rmtree(project.path / paths.STORE)
    output = project.run("mnist", "doctor", code=1, MLFLOW_TRACKING_URI="http://user:secret@127.0.0.1:9")
    assert not (project.path / paths.STORE).exists()
    assert "mend  mlflow store: MLflow's store at http://127.0.0.1:9" in output
    assert "secret" not in output


def test_looking_leaves_no_file(built: Path, project: Repository) -> None:
    store = Path(shutil.copytree(built / ".mlflow", project.path.parent / "elsewhere"))
    before = _files(project.path), _files(store)
    output = project.run("mnist", "doctor", code=1, MLFLOW_TRACKING_URI=f"sqlite:///{store}/mlflow.db")
    assert "is a copy of" in " ".join(output.split())
    assert (_files(project.path), _files(store)) == before


def _files(folder: Path) -> set[Path]:
    """All but what any question to DVC leaves."""
    return {path for path in folder.rglob("*") if not path.is_relative_to(folder / ".dvc" / "tmp")}

"""Each stage on a disk that is full, and where nothing may be written: one clear line, and no harm done."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults import disks, whole
from tests.faults.conftest import Write
from tests.repository import Repository, quick_environment

pytestmark = pytest.mark.faults
MEBIBYTES = 48
OUTPUTS = {
    "download": ["data/raw"],
    "verify": ["data/idx", "metrics/data.json", "results/data"],
    "train@plain": ["models/plain", "results/train/plain"],
    "evaluate@plain": ["results/test/plain", "metrics/models/plain.json"],
    "report": ["results/summary", "metrics/summary.json"],
    "publish": [".mlflow"],
}
NOT_WRITABLE = {
    ".": "report",
    ".dvc/cache": "evaluate@plain",
    ".dvc/tmp": "report",
    ".mlflow": "publish",
    "data": "download",
    "metrics": "evaluate@plain",
    "models": "train@plain",
    "results": "verify",
}
FULL = (r"No space left on device|disk is full", "make space")
READ_ONLY = (r"Read-only file system|readonly database", "make it writable")
FULL_TEXT = """\
`mnist repro` of a small pipeline on a file system in memory, where one stage is still to run and there is room for
that part of its outputs, of which DVC keeps a copy. Each failure was said in a line that names the cause and what to
do, with no traceback. Then room was made, `mnist repro` ran once more, and dvc.lock, every output and the store were
as undisturbed."""
CLEARLY = "failed clearly"
READ_ONLY_TEXT = """\
The same with a folder mounted read-only, by root, instead of a full disk, and writable again before the second run."""


def test_a_full_disk(built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    rooms = (0.0, 0.5, 1.5) if full else (0.5,)
    rows = []
    for stage in list(OUTPUTS) if full else ("train@plain", "publish"):
        outcomes = {f"room for {room:.0%}": _on_a_full_disk(stage, built, tmp_path, room) for room in rooms}
        rows.append({"stage": stage} | outcomes)
    assert {row[f"room for {rooms[0]:.0%}"] for row in rows} == {CLEARLY}
    record("Disk full", FULL_TEXT, rows)


def _on_a_full_disk(stage: str, built: Path, tmp_path: Path, room: float) -> str:
    with disks.small(tmp_path / f"{stage}-{room}", MEBIBYTES) as disk:
        place = _without(stage, built, disk / "project")
        with disks.full(disk, int(room * _size(built, stage))):
            failed = _fails_clearly(place, stage, built, FULL)
        _assert_completes(place, stage, built)
    return CLEARLY if failed else "went through"


def test_a_read_only_folder(built: Path, tmp_path: Path, full: bool, record: Write) -> None:
    rows = []
    for number, folder in enumerate(NOT_WRITABLE if full else (".dvc/cache", "models")):
        stage = NOT_WRITABLE[folder]
        place = _without(stage, built, tmp_path / str(number))
        (place.path / folder).mkdir(exist_ok=True)
        with disks.read_only(place.path / folder):
            assert _fails_clearly(place, stage, built, READ_ONLY)
        _assert_completes(place, stage, built)
        rows.append({"folder": folder, "stage to run": stage, "it": CLEARLY})
    record("Read-only folders", READ_ONLY_TEXT, rows)


def _without(stage: str, built: Path, target: Path) -> Repository:
    """A copy in which that stage has nothing to show any more, and DVC's cache nothing of it."""
    place = Repository(target)
    shutil.copytree(built, target, ignore=shutil.ignore_patterns("runs", "output.txt", "tmp"))
    for path in _files(target, stage):
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if stage != "publish":  # it leaves nothing in the cache, but has in the store what others have there
            (target / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink(missing_ok=True)
        path.unlink()
    for output in OUTPUTS[stage]:
        shutil.rmtree(target / output, ignore_errors=True)
    return place


def _size(built: Path, stage: str) -> int:
    """What a stage writes, in bytes of whole pages."""
    return sum(-(-path.stat().st_size // disks.PAGE) * disks.PAGE for path in _files(built, stage))


def _files(root: Path, stage: str) -> list[Path]:
    places = [root / output for output in OUTPUTS[stage]]
    return [path for place in places for path in (place, *place.rglob("*")) if path.is_file()]


def _repro(place: Repository, stage: str, built: Path) -> "subprocess.CompletedProcess[str]":
    """Run the stage; unless it is `publish` itself, everything is published already, to the store of `built`."""
    store = {} if stage == "publish" else {"MLFLOW_TRACKING_URI": f"sqlite:///{built}/.mlflow/mlflow.db"}
    return subprocess.run(
        ["mnist", "repro"], cwd=place.path, env=quick_environment(**store), capture_output=True, text=True, check=False
    )


def _fails_clearly(place: Repository, stage: str, built: Path, words: tuple[str, str]) -> bool:
    """Whether it failed; then in words, and not with a traceback."""
    done = _repro(place, stage, built)
    output = done.stdout + done.stderr
    clear = all(re.search(pattern, output) for pattern in words) and "Traceback" not in output
    assert done.returncode == 0 or clear, output
    return done.returncode != 0


def _assert_completes(place: Repository, stage: str, built: Path) -> None:
    done = _repro(place, stage, built)
    assert done.returncode == 0, done.stdout + done.stderr
    whole.assert_built(place, Repository(built))
    if stage == "publish":
        whole.assert_published(place, Repository(built))


def test_where_a_disk_is_mounted_nothing_is_pulled(built: Path, tmp_path: Path) -> None:
    with disks.small(tmp_path / "disk", MEBIBYTES) as disk:
        output = Repository(built).run("mnist", "pull", str(disk), code=1)
        assert f"error: {disk}: can't be replaced: Device or resource busy, as where a disk is mounted" in output
        assert "Traceback" not in output
    assert [one.name for one in tmp_path.iterdir()] == ["disk"]

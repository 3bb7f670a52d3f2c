"""dvc.lock as plain YAML: the outputs of a stage, or a clear word that there are none."""

import re
import tracemalloc
from pathlib import Path

import pytest

from mnist_pipeline.commits import lockfile
from mnist_pipeline.commits.lockfile import Entry, Stage
from mnist_pipeline.core.errors import PipelineError

LOCK = """\
schema: '2.0'
stages:
  train@small:
    cmd: python3 stages/train.py small
    deps: [{path: data/idx, md5: 00.dir}]
    outs:
    - {path: models/small, hash: md5, md5: 11.dir, size: 9, nfiles: 4}
    - {path: results/train/small/history.csv, hash: md5, md5: '22', size: 3}
"""


def test_outputs_are_listed_by_path(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(LOCK, "utf-8")
    assert lockfile.load(lock).outputs("train@small") == {
        "models/small": "11.dir",
        "results/train/small/history.csv": "22",
    }


@pytest.mark.parametrize("content", [None, "", "schema: '2.0'\n", LOCK])
def test_a_stage_that_never_ran_is_named(content: str | None, tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    if content is not None:
        lock.write_text(content, "utf-8")
    said = r"^dvc\.lock: no stage train@large; run `make repro` or `dvc repro` first$"
    with pytest.raises(PipelineError, match=said):
        lockfile.load(lock).outputs("train@large")


def test_digests_of_files_and_folders_are_those_of_dvc(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)
    lock = lockfile.load()
    assert lock.check("train@plain") == lock.outputs("train@plain")
    assert lock.check("evaluate@plain") == lock.outputs("evaluate@plain")
    assert lockfile.md5(built / "nothing") == ""


def test_a_merge_conflict_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(f"<<<<<<< HEAD\n{LOCK}=======\n{LOCK}>>>>>>> other\n", "utf-8")
    with pytest.raises(PipelineError, match=f"^{lock}: not valid YAML: ") as raised:
        lockfile.load(lock)
    assert "\n" not in str(raised.value)


def test_what_dvc_may_leave_out_is_no_error(tmp_path: Path) -> None:
    """A stage without outputs or dependencies; a file that is known by its etag and has no md5."""
    lock = tmp_path / "dvc.lock"
    etag = "{path: 'https://example.org/a', checksum: e1, size: 1}"
    lock.write_text(f"stages:\n  bare: {{cmd: 'true'}}\n  web: {{deps: [{etag}], outs: [{etag}]}}\n", "utf-8")
    loaded = lockfile.load(lock)
    assert (loaded.outputs("bare"), loaded.outputs("web")) == ({}, {})
    assert loaded.stages["bare"] == Stage(cmd="true", deps=[], outs=[], params={})
    assert loaded.stages["web"].deps == [Entry(path="https://example.org/a", md5=None)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", ""),
        ("- a", "the file: found ['a'], expected: "),
        ("stages: 3", "stages: found 3, expected: "),
        ("stages: {a: }", "stages.a: found None, expected: "),
        ("stages: {a: {outs: 3}}", "stages.a.outs: found 3, expected: "),
        ("stages: {a: {outs: [{md5: x}]}}", "key stages.a.outs.0.path is missing"),
    ],
)
def test_what_is_no_lock_is_named(content: str, said: str, tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(content, "utf-8")
    if said:
        with pytest.raises(PipelineError, match=f"^{re.escape(f'{lock}: {said}')}[^\n]*$"):
            lockfile.load(lock)
    else:
        assert lockfile.load(lock).stages == {}


def test_a_file_is_not_read_into_memory_whole(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as stream:
        stream.truncate(1 << 27)
    tracemalloc.start()
    try:
        assert lockfile.md5(big) == "fde9e0818281836e4fc0edfede2b8762"
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()

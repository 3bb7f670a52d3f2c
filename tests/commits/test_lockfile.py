"""dvc.lock as plain YAML: the outputs of a stage, or a clear word that there are none."""

from pathlib import Path

import pytest

from mnist_pipeline.commits import lockfile
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
    with pytest.raises(PipelineError, match=f"^{lock}: no stage train@large; run `make repro` or `dvc repro` first$"):
        lockfile.load(lock).outputs("train@large")


def test_digests_of_files_and_folders_are_those_of_dvc(built: Path) -> None:
    lock = lockfile.load(built / "dvc.lock")
    assert lock.check("train@plain") == lock.outputs("train@plain")
    assert lock.check("evaluate@plain") == lock.outputs("evaluate@plain")
    assert lockfile.md5(built / "nothing") == ""


def test_a_merge_conflict_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(f"<<<<<<< HEAD\n{LOCK}=======\n{LOCK}>>>>>>> other\n", "utf-8")
    with pytest.raises(PipelineError, match=f"^{lock}: not valid YAML: ") as raised:
        lockfile.load(lock)
    assert "\n" not in str(raised.value)

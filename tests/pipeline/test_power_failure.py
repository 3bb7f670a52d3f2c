"""What a power failure could take: all that dvc.lock names is on the disk before its entry is. Needs strace."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.pipeline.conftest import Project
from tests.repository import environment

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore:_NoneStep")]  # of a package of DVC's
RUN = "from mnist_pipeline.pipeline import repro; repro.repro(1, {}, lambda _: True)"
SYNCED = re.compile(r"fsync\(\d+<(.+?)>\)")
BOOKED = re.compile(r'rename\w*\(.*"dvc\.lock"')


def test_all_that_an_entry_of_dvc_lock_names_is_synced_before_it_is_there(shell: Project, tmp_path: Path) -> None:
    shell.write(
        folder={"cmd": "mkdir -p b/in; echo 1 >b/one; echo 2 >b/in/two", "deps": ["source"], "outs": ["b"]},
        file={"cmd": "cp source a; echo 3 >c", "deps": ["b", "source"], "outs": ["a", {"c": {"cache": False}}]},
        kept={"cmd": "echo 4 >d", "deps": ["a"], "metrics": [{"d": {"cache": False}}]},
    )
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=fsync,rename,renameat,renameat2", "-o", str(trace)]
    subprocess.run([*command, sys.executable, "-c", RUN], env=environment(), check=True)
    before, synced = [], set[str]()
    for line in trace.read_text("utf-8").splitlines():
        if found := SYNCED.search(line):
            synced.add(found[1])
        elif BOOKED.search(line):
            before.append(set(synced))
    entries = list(YAML(typ="safe").load(Path("dvc.lock"))["stages"].items())
    assert [name for name, _ in entries] == ["folder", "file", "kept"]
    assert len(before) == len(entries)
    for (name, entry), on_the_disk in zip(entries, before, strict=True):
        assert {str(path) for path in _named(entry)} <= on_the_disk, name


def _named(entry: Any) -> set[Path]:
    """The files and folders that an entry stands for: outputs, objects of DVC's cache, and what holds their names."""
    paths: set[Path] = set()
    for out in entry["outs"]:
        place = Path(out["path"]).resolve()
        paths |= {place.parent, place, *place.rglob("*")}
        listed = [out["md5"]]
        if out["md5"].endswith(".dir"):
            listed += [one["md5"] for one in YAML(typ="safe").load(_object(out["md5"]))]
        paths |= {_object(md5) for md5 in listed if _object(md5).exists()}
        assert out["path"] == "c" or _object(out["md5"]).exists()
    return paths | {parent for path in paths for parent in path.parents[:2] if "md5" in path.parts}


def _object(md5: str) -> Path:
    return Path(".dvc/cache/files/md5", md5[:2], md5[2:]).resolve()

"""Set-up: an unsupported Python is refused in one line, and a second call installs nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository import ROOT, environment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def _make(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command, variables = ["make", *arguments], environment(**changes)
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def test_an_unsupported_python_is_refused_in_one_line(folder: Path) -> None:
    old = folder / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.18 && exit 0\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    done = _make(folder, "setup", f"PYTHON={old}")
    assert done.returncode != 0
    complaint = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(complaint) == 1
    assert "Python 3.11, 3.12, 3.13 or 3.14 is needed; found: Python 3.9.18" in complaint[0]
    assert not (folder / ".venv").exists()


def test_a_second_call_installs_nothing_until_the_lock_changes(folder: Path) -> None:
    assert "pip install" in _make(folder, "--dry-run", "setup").stdout
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".ready").touch()
    assert "pip install" not in _make(folder, "--dry-run", "setup").stdout
    later = (folder / ".venv" / ".ready").stat().st_mtime + 10
    os.utime(folder / "requirements.lock", (later, later))
    assert "pip install" in _make(folder, "--dry-run", "setup").stdout


def test_uv_installs_the_same_lock_where_it_is_on_the_path(folder: Path) -> None:
    programs = folder / "programs"
    programs.mkdir()
    (programs / "uv").write_text("#!/bin/sh\n", encoding="utf-8")
    (programs / "uv").chmod(0o755)
    planned = _make(folder, "--dry-run", "setup", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}").stdout
    assert "\nuv pip install --python .venv/bin/python --quiet --require-hashes -r requirements.lock\n" in planned
    assert "-m pip" not in planned


def test_every_target_of_the_vocabulary_is_explained(folder: Path) -> None:
    explained = {line.split("\t")[0] for line in _make(folder, "help").stdout.splitlines()}
    assert {"setup", "repro", "test", "check", "ui", "clean"} <= explained


def test_the_folder_may_have_any_name(folder: Path) -> None:
    odd = folder / "Zahlen & 'Bücher' 50% $HOME"
    (odd / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(folder / name, odd / name)
    (odd / ".venv" / ".ready").touch()
    (odd / ".dvc").mkdir()
    (odd / ".dvc" / "plots.html").touch()
    mnist = odd / ".venv" / "bin" / "mnist"
    mnist.write_text('#!/bin/sh\necho "$0 $*"\n', encoding="utf-8")
    mnist.chmod(0o755)
    assert _make(odd, "repro").stdout == f"{mnist} repro\n"

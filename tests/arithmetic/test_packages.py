"""Versions of packages as inputs of the stages."""

from pathlib import Path

import pytest

from mnist_pipeline.arithmetic import machine, packages
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json
from tests.repository import ROOT, Repository

LINES = "".join(f"{name}==1.{number} \\\n    --hash=sha256:00\n" for number, name in enumerate(packages.DECIDING))


def test_versions_json_is_what_the_lock_has() -> None:
    assert read_json(ROOT / "versions.json") == packages.locked(
        (ROOT / "requirements.lock").read_text(encoding="utf-8")
    )


def test_a_lock_with_two_versions_or_none_is_refused() -> None:
    assert packages.locked(LINES)["numpy"] == "1.1"
    with pytest.raises(PipelineError, match=r"one version of each .* numpy: 1\.1, 2\.0"):
        packages.locked(LINES + "numpy==2.0 ; python_full_version >= '3.12' \\\n")
    with pytest.raises(PipelineError, match=r"; torch: none$"):
        packages.locked(LINES.replace("torch", "pytorch"))


def test_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages.check()
    here = packages.installed()
    monkeypatch.setattr(packages, "FILE", tmp_path / "versions.json")
    write_json(packages.FILE, here | {"torch": "1.0"})
    with pytest.raises(PipelineError, match=rf"versions\.json: torch: expected 1\.0, found {here['torch']}; install"):
        packages.check()


def test_any_build_of_a_version_will_do_but_is_said_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = packages.installed()["torch"]
    metadata = tmp_path / f"torch-{here}+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {here}+cpu\n", encoding="utf-8")
    before = machine.deciding("portable"), machine.deciding("native")
    monkeypatch.syspath_prepend(tmp_path)
    packages.check()
    assert machine.deciding("portable") == before[0]
    assert machine.deciding("native") == before[1] | {"torch": f"{here}+cpu"}


def test_a_stage_refuses_other_versions_before_it_does_anything(project: Repository) -> None:
    listed = read_json(project.path / "versions.json")
    write_json(project.path / "versions.json", listed | {"numpy": "1.0"})
    said = project.run("python3", "stages/report.py", code=1)
    assert "versions.json: numpy: expected 1.0, found " in said
    assert "make setup" in said
    assert project.repro(code=1)["verify"] == "failed"  # a changed version is a changed input

"""recorded.json: figures of this machine are added to, those of another are replaced."""

from pathlib import Path

import pytest

from mnist_pipeline import machine, paths, recording
from mnist_pipeline.files import read_json, write_json


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in recording.SIMULATING:
        monkeypatch.delenv(name, raising=False)


def test_without_a_record_nothing_is_known() -> None:
    assert recording.seconds() == {}
    assert not recording.is_this_machine()


def test_what_did_not_run_keeps_its_figure() -> None:
    recording.write({"verify": 1.5, "report": 2.0})
    recording.write({"report": 3.0})
    assert recording.seconds() == {"verify": 1.5, "report": 3.0}
    assert recording.is_this_machine()
    assert read_json(paths.RECORDED)["machine"] == recording.here()
    assert set(recording.here()) >= {*machine.describe(), "pandas", "pillow", "safetensors"}


def test_the_figures_of_another_machine_are_replaced() -> None:
    other = machine.describe() | {"processor": "another"}
    write_json(paths.RECORDED, {"machine": other, "core_seconds": {"verify": 1.5}})
    assert recording.seconds() == {"verify": 1.5}
    assert not recording.is_this_machine()
    recording.write({"report": 3.0})
    assert recording.seconds() == {"report": 3.0}


def test_simulated_instructions_are_recorded_and_make_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    recording.write({})
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert not recording.is_this_machine()
    recorded = read_json(paths.RECORDED)["machine"]
    assert recording.differences(recorded) == {"ATEN_CPU_CAPABILITY": ("not set", "avx2")}
    recording.write({})
    monkeypatch.delenv("ATEN_CPU_CAPABILITY")
    recorded = read_json(paths.RECORDED)["machine"]
    assert recording.differences(recorded) == {"ATEN_CPU_CAPABILITY": ("avx2", "not set")}


def test_what_was_not_recorded_is_a_difference() -> None:
    recorded = recording.here()
    del recorded["pandas"]
    assert list(recording.differences(recorded)) == ["pandas"]
    assert recording.differences(recorded)["pandas"][0] == "not recorded"

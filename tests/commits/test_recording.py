"""recorded.json: figures of this machine are added to, those of another are replaced."""

from pathlib import Path

import pytest

from mnist_pipeline.arithmetic import machine, packages
from mnist_pipeline.commits import provenance
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_record_nothing_is_known() -> None:
    assert provenance.seconds() == {}


def test_what_did_not_run_keeps_its_figure() -> None:
    provenance.record({"verify": 1.5, "report": 2.0})
    provenance.record({"report": 3.0})
    assert provenance.seconds() == {"verify": 1.5, "report": 3.0}
    assert provenance.differences(read_json(paths.RECORDED)["machine"]) == {}


def test_the_figures_of_another_machine_are_replaced() -> None:
    other = machine.describe() | {"processor": "another"}
    write_json(paths.RECORDED, {"machine": other, "core_seconds": {"verify": 1.5}})
    assert provenance.seconds() == {"verify": 1.5}
    provenance.record({"report": 3.0})
    assert provenance.seconds() == {"report": 3.0}


def test_versions_and_what_was_not_recorded_are_differences() -> None:
    recorded = machine.describe() | {"torch": "1.0"}
    del recorded["pandas"]
    here = packages.builds()
    assert provenance.differences(recorded) == {
        "torch": ("1.0", here["torch"]),
        "pandas": ("not recorded", here["pandas"]),
    }


@pytest.mark.parametrize("content", ["{}", '{"machine": {}}', '{"core_seconds": {"verify": null, "report": "2"}}'])
def test_an_older_record_lacks_what_it_lacks(content: str) -> None:
    paths.RECORDED.write_text(content, encoding="utf-8")
    assert provenance.seconds() == {}
    provenance.record({"report": 3.0})
    assert provenance.seconds() == {"report": 3.0}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"core_seconds": 3}'])
def test_a_damaged_record_is_named(content: str) -> None:
    paths.RECORDED.write_text(content, encoding="utf-8")
    with pytest.raises(PipelineError, match=r"^working tree: recorded\.json: damaged: "):
        provenance.seconds()

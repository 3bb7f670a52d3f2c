"""DVC parses a params.yaml once a run, and sees it when it changes."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import dvc.utils.serialize._yaml as dvc_yaml
import pytest

from mnist_pipeline.pipeline import parsed_yaml
from tests.pipeline.conftest import Project


@pytest.mark.filterwarnings("ignore:_NoneStep")  # of a package of DVC's
def test_a_text_is_parsed_once_a_run(shell: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    common = {"deps": ["source"], "params": ["rate"]}
    shell.write(**{name: {"cmd": f"cp source {name}", "outs": [name], **common} for name in ("first", "second")})
    texts, parse = [], dvc_yaml.parse_yaml

    def counted(text: str, path: str, typ: str = "safe") -> Any:
        texts.append((text, path, typ))
        return parse(text, path, typ)

    monkeypatch.setattr(dvc_yaml, "parse_yaml", counted)
    for rate, ran in (("rate: 1\n", ["first", "second"]), ("rate: 2\n", ["first", "second"]), ("rate: 1\n", [])):
        Path("params.yaml").write_text(rate, encoding="utf-8")
        texts.clear()
        assert shell.run() == ran
        parsed = [one for one in texts if one[0] == rate]
        assert len(parsed) == len(set(parsed)) > 0
    assert dvc_yaml.parse_yaml is counted


def test_what_was_parsed_may_be_changed() -> None:
    with parsed_yaml.kept():
        dvc_yaml.parse_yaml("a: [1]", "a.yaml")["a"].append(2)
        assert dvc_yaml.parse_yaml("a: [1]", "a.yaml") == {"a": [1]}


def test_what_dvc_wrote_last_is_added_to_without_being_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same bytes as by parsing it, whatever else is written between, and as long as it is what was written."""
    stages = [{"deps": [{"path": "a", "md5": "0123"}], "params": {"rate": 1e-3, "names": ["yes", "1"]}}, {"outs": []}]

    def write(path: Path) -> bytes:
        path.touch()
        for number, stage in enumerate([*stages, *stages]):
            with dvc_yaml.modify_yaml(path) as data:
                data.setdefault("stages", {})[f"train@{number % 3}"] = deepcopy(stage)
            dvc_yaml.dump_yaml(tmp_path / "entry", {"of the run cache": number})
        return path.read_bytes()

    expected, texts, parse = write(tmp_path / "expected"), [], dvc_yaml.parse_yaml

    def counted(text: str, path: str, typ: str = "safe") -> Any:
        texts.append(text)
        return parse(text, path, typ)

    monkeypatch.setattr(dvc_yaml, "parse_yaml", counted)
    with parsed_yaml.kept():
        assert write(tmp_path / "found") == expected
        assert texts == [""]
        (tmp_path / "found").write_text("stages: {by: hand}\n", encoding="utf-8")
        with dvc_yaml.modify_yaml(tmp_path / "found") as data:
            data["more"] = 1
    assert (tmp_path / "found").read_text("utf-8") == "stages: {by: hand}\nmore: 1\n"
    assert texts == ["", "stages: {by: hand}\n"]

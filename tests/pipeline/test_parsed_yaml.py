"""DVC parses a params.yaml once a run, and sees it when it changes."""

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

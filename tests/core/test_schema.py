"""The schema by which editors know params.yaml: of the models, every key explained, named in the first line."""

import os
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline.cli import program
from mnist_pipeline.core import files, paths
from tests import golden
from tests.repository import ROOT

HEAD = "# yaml-language-server: $schema="
SCHEMA = ROOT / paths.SCHEMA


def test_the_committed_schema_is_what_the_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "studies").mkdir()
    monkeypatch.chdir(tmp_path / "studies")
    program.schema()
    written = (tmp_path / paths.SCHEMA).read_bytes()
    assert written == SCHEMA.read_bytes(), "core/params.py has changed: mnist schema"


def test_every_key_is_explained_and_no_other_one_allowed() -> None:
    schema = files.read_json(SCHEMA)
    models = {"Params": schema, **schema["$defs"]}
    explained = {name for name, model in models.items() if model["description"]}
    assert explained == set(models)
    for name, model in models.items():
        assert model["additionalProperties"] is False
        for key, value in model["properties"].items():
            assert _description(value, schema), f"{name}.{key}"


def _description(value: Any, schema: Any) -> str:
    """Of a key, or of the model that is all of its value."""
    name = value.get("$ref", "").rpartition("/")[2]
    return str(value.get("description") or (schema["$defs"][name]["description"] if name else ""))


@pytest.mark.parametrize("folder", golden.PIPELINES)
def test_the_first_line_leads_an_editor_to_it(folder: str) -> None:
    first = (ROOT / folder / "params.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert first == f"{HEAD}{os.path.relpath(SCHEMA, ROOT / folder)}"

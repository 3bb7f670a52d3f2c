"""A kept export is of this very model or is not used; without torch it gives the same answers and refusals."""

import ast
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnist_pipeline import networks
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json
from mnist_pipeline.inference import eager, kept
from mnist_pipeline.inference.eager import Eager
from mnist_pipeline.inference.export import NEAR, probe
from mnist_pipeline.inference.session import Session
from mnist_pipeline.training.checkpoints import OtherCodeError
from tests import synthetic
from tests.repository import Repository


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model in a project, which is the working directory, with its export."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    synthetic.train(tmp_path / "models" / "small")
    assert isinstance(kept.load(Path("models/small")), Session)
    return Path("models/small")


def exports() -> list[Path]:
    return sorted(kept.FOLDER.iterdir())


def test_an_export_is_made_once_and_answers_as_torch_does(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = exports()
    expected = eager.load(model)(probe())
    monkeypatch.delattr(eager, "load")
    assert float(np.abs(kept.load(model)(probe()) - expected).max()) <= NEAR
    assert kept.exported(model) == path.read_bytes()


def test_onnx_runtime_reports_nothing_to_its_makers(model: Path, tmp_path: Path) -> None:
    """Else it keeps an identifier and a cache for reports in the home, and a thread that sends them."""
    code = f"from pathlib import Path; from mnist_pipeline.inference import kept; kept.load(Path({str(model)!r}))"
    threads = "; print(sorted(path.joinpath('comm').read_text() for path in Path('/proc/self/task').iterdir()))"
    home = tmp_path / "home"
    home.mkdir()
    printed = Repository(tmp_path, real=True).run(
        sys.executable, "-c", code + threads,
        HOME=str(home), XDG_CACHE_HOME=str(home), ORT_DISABLE_TELEMETRY="0", OPENBLAS_NUM_THREADS="1",
    )  # fmt: skip
    assert len(ast.literal_eval(printed)) == 1
    assert list(home.rglob("*")) == []


def other_weights(model: Path) -> None:
    synthetic.train(model, epochs=2)


def other_scaling(model: Path) -> None:
    manifest = read_json(model / "model.json")
    manifest["recipe"]["scaling"]["mean"] = 9.0
    write_json(model / "model.json", manifest)


def damaged_export(_: Path) -> None:
    (path,) = exports()
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("change", [other_weights, other_scaling, damaged_export])
def test_a_stale_or_damaged_export_is_never_used(change: Callable[[Path], None], model: Path) -> None:
    change(model)
    found = kept.load(model)
    assert isinstance(found, Session)
    assert float(np.abs(found(probe()) - eager.load(model)(probe())).max()) <= NEAR


def test_other_code_and_other_versions_ask_for_another_export(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept._origin(model)
    copy = Path(shutil.copytree(kept.PACKAGE, tmp_path / "package"))
    monkeypatch.setattr(kept, "PACKAGE", copy)
    assert kept._origin(model) == before
    for name in ("networks/mlp_28.py", "data/dataset.py", "inference/export.py"):
        with (copy / name).open("a", encoding="utf-8") as stream:
            stream.write("\n")
        assert kept._origin(model) != before
        before = kept._origin(model)
    monkeypatch.setattr(kept, "version", lambda _: "0")
    assert kept._origin(model) != before


def test_a_network_that_differs_is_refused_and_damaged_files_are_named_though_there_is_an_export(model: Path) -> None:
    text = networks.source("mlp_28").read_bytes()
    (model / "mlp_28.py").write_bytes(text)
    assert isinstance(kept.load(model), Session)
    (model / "mlp_28.py").write_bytes(text + b"\n")
    with pytest.raises(OtherCodeError, match="is the network of these weights"):
        kept.load(model)
    (model / "mlp_28.py").unlink()
    (model / "weights.safetensors").write_bytes(b"{}")
    with pytest.raises(PipelineError, match="does not fit network mlp_28"):
        kept.load(model)


def test_outside_of_a_project_torch_answers_and_nothing_is_written(model: Path) -> None:
    Path(".dvc").rmdir()
    shutil.rmtree(kept.FOLDER)
    assert isinstance(kept.load(model), Eager)
    assert not kept.FOLDER.exists()


def test_where_an_export_can_not_be_kept_a_note_says_so(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(kept.FOLDER)
    kept.FOLDER.touch()
    assert isinstance(kept.load(model), Session)
    assert "the export is not kept" in capsys.readouterr().err


def test_only_so_many_are_kept(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = exports()
    monkeypatch.setattr(kept, "MOST", 1)
    other_weights(model)
    kept.load(model)
    (second,) = exports()
    assert second != first

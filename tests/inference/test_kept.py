"""A kept export is of this very model or is not used; it gives the same answers and refusals as torch."""

import ast
import hashlib
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mnist_pipeline import networks
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json
from mnist_pipeline.inference import kept
from mnist_pipeline.inference.export import NEAR, probe
from mnist_pipeline.inference.models import Eager, Exported
from mnist_pipeline.training import predictor
from mnist_pipeline.training.checkpoints import OtherCodeError
from tests import synthetic
from tests.repository import Repository

MODEL, EXPORTS = Path("models/small"), Path(".onnx")
PRINTS = """
import sys
from pathlib import Path
from mnist_pipeline.inference import kept
kept.load(Path("models/small"))
files = [module.__file__ for name, module in sys.modules.items() if name.startswith("mnist_pipeline.")]
print((files, [path.joinpath("comm").read_text() for path in Path("/proc/self/task").iterdir()]))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model and its export; not to be written to."""
    folder = tmp_path_factory.mktemp("project")
    (folder / ".dvc").mkdir()
    synthetic.train(folder / MODEL)
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        assert isinstance(kept.load(MODEL), Exported)
    return folder


@pytest.fixture
def project(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, which is the working directory."""
    copy = Path(shutil.copytree(exported, tmp_path / "project"))
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the library's files, which exports are then said to be made from."""
    copy = Path(shutil.copytree(kept.PACKAGE, tmp_path / "package"))
    monkeypatch.setattr(kept, "PACKAGE", copy)
    return copy


def names() -> list[str]:
    return sorted(path.name for path in EXPORTS.iterdir())


def distance() -> float:
    """Of what answers now from what torch says."""
    return float(np.abs(kept.load(MODEL)(probe()) - Eager(predictor.load(MODEL))(probe())).max())


@pytest.mark.usefixtures("project")
def test_an_export_is_made_once_and_answers_as_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(names()) == 1
    assert distance() <= NEAR
    monkeypatch.delattr(predictor, "load")
    assert isinstance(kept.load(MODEL), Exported)


def test_all_code_that_an_export_is_made_by_is_looked_at_and_nothing_is_reported(project: Path, tmp_path: Path) -> None:
    """ONNX Runtime would keep an identifier and a cache for reports in the home, and a thread that sends them."""
    shutil.rmtree(EXPORTS)
    home = tmp_path / "home"
    home.mkdir()
    there = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME")}
    there |= {"ORT_DISABLE_TELEMETRY": "0", "OPENBLAS_NUM_THREADS": "1"}
    run = partial(Repository(project, real=True).run, sys.executable, "-c", PRINTS, code=0, **there)
    (made_by, _), (again, threads) = (ast.literal_eval(run()) for _ in range(2))
    looked_at = tuple(str(kept.PACKAGE / room) for room in (*kept.ROOMS, "networks/mlp_28.py"))
    assert {*again} < {*made_by}
    assert [file for file in made_by if not file.startswith(looked_at)] == []
    assert len(threads) == 1
    assert list(home.rglob("*")) == []


def other_weights() -> None:
    synthetic.train(MODEL, epochs=2)


def other_scaling() -> None:
    manifest = read_json(MODEL / paths.MANIFEST)
    manifest["recipe"]["scaling"]["mean"] = 9.0
    write_json(MODEL / paths.MANIFEST, manifest)


def damaged_export() -> None:
    (path,) = EXPORTS.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("change", [other_weights, other_scaling, damaged_export])
def test_a_stale_or_damaged_export_is_never_used(change: Callable[[], None]) -> None:
    change()
    assert distance() <= NEAR
    assert isinstance(kept.load(MODEL), Exported)


@pytest.mark.usefixtures("project")
def test_other_code_and_other_versions_ask_for_another_export(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def origin() -> str:
        return str(kept._origin(MODEL, kept._text))

    assert names()[0].startswith(origin())
    seen = {origin()}
    for name in ("networks/mlp_28.py", "data/dataset.py", "inference/export.py"):
        with (code / name).open("a", encoding="utf-8") as stream:
            stream.write("\n")
        seen.add(origin())
    monkeypatch.setattr(kept, "version", lambda _: "0")
    assert len(seen | {origin()}) == 5


@pytest.mark.usefixtures("project")
def test_an_export_of_a_network_that_was_edited_meanwhile_is_not_kept(code: Path) -> None:
    shutil.rmtree(EXPORTS)
    with (code / "networks/mlp_28.py").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert isinstance(kept.load(MODEL), Exported)
    assert not EXPORTS.exists()


@pytest.mark.usefixtures("project")
def test_a_network_that_differs_is_refused_and_damaged_files_are_named_though_there_is_an_export() -> None:
    text = networks.source("mlp_28").read_bytes()
    (MODEL / "mlp_28.py").write_bytes(text)
    assert isinstance(kept.load(MODEL), Exported)
    (MODEL / "mlp_28.py").write_bytes(text + b"\n")
    with pytest.raises(OtherCodeError, match="is the network of these weights"):
        kept.load(MODEL)
    (MODEL / "mlp_28.py").unlink()
    (MODEL / paths.WEIGHTS).write_bytes(b"{}")
    with pytest.raises(PipelineError, match="does not fit network mlp_28"):
        kept.load(MODEL)
    assert len(names()) == 1


@pytest.mark.usefixtures("project")
def test_a_model_that_answers_nan_has_no_export_which_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    weights = {name: torch.full_like(one, float("nan")) for name, one in load_file(MODEL / paths.WEIGHTS).items()}
    save_file(weights, MODEL / paths.WEIGHTS)
    for said in (["note: models/small: no export to ONNX: "], []):
        assert isinstance(kept.load(MODEL), Eager)
        assert [line[:39] for line in capsys.readouterr().err.splitlines()] == said
    assert len([name for name in names() if hashlib.sha256(b"").hexdigest() in name]) == 1


@pytest.mark.usefixtures("project")
def test_outside_of_a_project_torch_answers_and_nothing_is_read_or_written() -> None:
    Path(".dvc").rmdir()
    assert isinstance(kept.load(MODEL), Eager)
    shutil.rmtree(EXPORTS)
    assert isinstance(kept.load(MODEL), Eager)
    assert not EXPORTS.exists()


@pytest.mark.usefixtures("project")
def test_where_nothing_can_be_written_exports_are_used_but_none_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert isinstance(kept.load(MODEL), Exported)
    shutil.rmtree(EXPORTS)
    assert isinstance(kept.load(MODEL), Eager)


@pytest.mark.usefixtures("project")
def test_where_an_export_can_not_be_kept_a_note_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(EXPORTS)
    EXPORTS.touch()
    assert isinstance(kept.load(MODEL), Exported)
    assert "the export is not kept" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("failure", [MemoryError, OSError])
def test_a_failure_that_may_pass_is_not_remembered(failure: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(EXPORTS)

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(torch.onnx, "export", fail)
    assert isinstance(kept.load(MODEL), Eager)
    assert not EXPORTS.exists()


@pytest.mark.usefixtures("project")
def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = names()
    monkeypatch.setattr(kept, "MOST", 1)
    other_weights()
    kept.load(MODEL)
    (second,) = names()
    assert second != first

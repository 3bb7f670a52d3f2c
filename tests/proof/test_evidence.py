"""Results held against a commit: what was tampered with is named, and what it means depends on the machine."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from safetensors.numpy import load_file, save_file

from mnist_pipeline.arithmetic import machine, portable
from mnist_pipeline.commits import lockfile
from mnist_pipeline.commits.revision import at
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json, write_json
from mnist_pipeline.proof import evidence
from mnist_pipeline.proof.evidence import File, Reproduction
from tests.arithmetic.test_portable import needs_avx2
from tests.repository import Repository

METRICS = "metrics/models/plain.json"
WEIGHTS = "models/plain/weights.safetensors"


@pytest.fixture(autouse=True)
def _inside(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository to tamper with; `built` stands for the folder where its first commit was rebuilt."""
    monkeypatch.chdir(project.path)


def _compare(project: Repository, built: Path) -> Reproduction:
    """What the last commit promises against what was built; what was tampered with is committed before."""
    if project.status():
        project.commit("Tampered with")
    return evidence.compare(at("HEAD"), built)


def _unequal(reproduction: Reproduction) -> dict[str, File]:
    return {file.path: file for file in reproduction.files if file.difference}


def _complaints(reproduction: Reproduction, *, alike: bool) -> list[str]:
    """As if bits had to agree here, or need not."""
    return replace(reproduction, excuse=None if alike else "another machine").complaints()


def _replace_in_lock(project: Repository, old: str, new: str) -> None:
    lock = project.path / "dvc.lock"
    lock.write_text(lock.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def _flip_a_bit(project: Repository) -> None:
    """In one weight, with dvc.lock and DVC's cache as if it had been trained so."""
    tensors = load_file(WEIGHTS)
    flat = next(iter(tensors.values())).reshape(-1).view("u4")
    flat[0] ^= 1
    Path(WEIGHTS).unlink()
    save_file(tensors, WEIGHTS)
    project.run("dvc", "commit", "--quiet", "--force", "train@plain")


def test_what_was_built_is_what_was_committed_file_by_file(project: Repository, built: Path) -> None:
    found = _compare(project, built)
    assert _unequal(found) == {}
    files = {file.path for file in found.files}
    assert {METRICS, WEIGHTS, "data/idx/test-labels.idx1-ubyte", ".mlflow/receipt.json"} <= files
    kept = project.run("git", "ls-files", "metrics", "results").split()
    assert set(kept) <= files
    assert _complaints(found, alike=True) == []
    assert found.check() == "reproduced: every bit is the committed one"


def test_one_bit_of_a_weight_is_found_with_its_size(project: Repository, built: Path) -> None:
    _flip_a_bit(project)
    found = _compare(project, built)
    assert list(_unequal(found)) == [WEIGHTS]
    assert _unequal(found)[WEIGHTS].difference.startswith("1 of 22270 values, by at most ")
    assert len(_complaints(found, alike=True)) == 1
    assert _complaints(found, alike=False) == []


def test_without_the_original_the_hash_is_compared_and_the_way_to_more_is_said(
    project: Repository, built: Path
) -> None:
    _flip_a_bit(project)
    shutil.rmtree(".dvc/cache")
    unequal = _unequal(_compare(project, built))
    assert list(unequal) == ["models/plain"]
    assert "`dvc pull`" in unequal["models/plain"].difference


def test_a_damaged_original_is_not_compared_with(project: Repository, built: Path) -> None:
    _flip_a_bit(project)
    project.commit("Other weights")
    promised = at("HEAD")
    md5 = lockfile.md5(Path(WEIGHTS))
    cached = promised.cache / "files" / "md5" / md5[:2] / md5[2:]
    cached.chmod(0o644)
    cached.write_bytes(b"damaged")
    assert "`dvc pull`" in _unequal(evidence.compare(promised, built))[WEIGHTS].difference


@pytest.mark.parametrize(("off", "beyond"), [(-0.004, False), (-0.005, False), (-0.006, True)])
def test_metrics_name_their_keys_and_another_machine_has_its_tolerance(
    project: Repository, built: Path, off: float, beyond: bool
) -> None:
    found = read_json(built / METRICS)["test_accuracy"]
    project.edit(METRICS, test_accuracy=found + off)
    reached = _compare(project, built)
    assert _unequal(reached)[METRICS].difference.startswith(f"test_accuracy: {found} instead of {found + off}")
    assert METRICS in _complaints(reached, alike=True)[0]
    assert [("test_accuracy" in said) for said in _complaints(reached, alike=False)] == [True] * beyond


def test_a_changed_prediction_is_found(project: Repository, built: Path) -> None:
    path = Path("results/test/plain/predictions.csv")
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    other = first[:-1] + str((int(first[-1]) + 1) % 10)
    before = (built / path).read_bytes()
    path.write_text("\n".join([header, other, *rest, ""]), encoding="utf-8")
    _replace_in_lock(project, lockfile.md5_of(before), lockfile.md5(path))
    assert str(_unequal(_compare(project, built))[path.as_posix()]) == f"DIFFERENT  {path}: differs"


def test_a_file_of_gits_that_dvc_lock_does_not_mean_is_wrong_on_any_machine(project: Repository, built: Path) -> None:
    write_json(project.path / METRICS, read_json(project.path / METRICS) | {"test_errors": 77})
    [said] = _complaints(_compare(project, built), alike=False)
    assert "Git keeps another file" in said
    assert "test_errors: 0 instead of 77 (-77)" in said


def test_a_lock_that_is_not_of_this_code_is_wrong_on_any_machine(project: Repository, built: Path) -> None:
    network = lockfile.md5(Path("src/mnist_pipeline/networks/mlp_28.py"))
    _replace_in_lock(project, network, "a" * 32)
    _replace_in_lock(project, "epochs: 2", "epochs: 3")
    said = "\n".join(_complaints(_compare(project, built), alike=False))
    assert f"train@plain: src/mnist_pipeline/networks/mlp_28.py: {'a' * 32}, at the commit {network}" in said
    assert "train@plain: params.yaml.models.plain.epochs: 3, at the commit 2" in said


def test_without_accuracies_another_machine_is_no_excuse() -> None:
    files = [File("models/a", "2", "1 of 2 values")]
    nothing = Reproduction("c", files, {}, [], "another machine")
    assert "nothing tells how far the results are off" in nothing.complaints()[0]
    assert replace(nothing, files=[File("models/a", "1")]).complaints() == []


def test_files_on_one_side_only_are_faults(project: Repository, built: Path, tmp_path: Path) -> None:
    rebuilt = Path(shutil.copytree(built, tmp_path / "rebuilt"))
    (rebuilt / METRICS).unlink()
    (rebuilt / "models" / "weak" / "more.json").write_text("{}", encoding="utf-8")
    said = _complaints(_compare(project, rebuilt), alike=False)
    assert said == [
        "DIFFERENT  models/weak/more.json: came out, but dvc.lock does not have it",
        f"DIFFERENT  {METRICS}: did not come out",
    ]


def test_a_stage_that_the_lock_does_not_have_is_a_fault(project: Repository, built: Path) -> None:
    _replace_in_lock(project, "  train@weak:\n", "  trained@weak:\n")
    unequal = _unequal(_compare(project, built))
    history = "results/train/weak/history.csv"
    assert str(unequal[history]) == f"DIFFERENT  {history}: came out, but dvc.lock does not have it"
    assert (unequal["models/weak"].difference, unequal["models/weak"].faulty) == ("is on one side only", True)


def test_a_lock_that_is_half_or_missing_proves_nothing(project: Repository, built: Path, tmp_path: Path) -> None:
    """Though every file is there and right: nothing tells what made them."""
    half = Path(shutil.copytree(built, tmp_path / "half"))
    content = YAML(typ="safe").load(built / "dvc.lock")
    content["stages"] = {name: entry for name, entry in content["stages"].items() if "weak" not in name}
    YAML().dump(content, half / "dvc.lock")
    found = _compare(project, half)
    assert _unequal(found) == {}
    gone = "not in the dvc.lock of these results, so it did not run"
    assert _complaints(found, alike=False) == [f"train@weak: {gone}", f"evaluate@weak: {gone}"]
    (half / "dvc.lock").unlink()
    shutil.rmtree(half / "models" / "weak")
    said = _complaints(_compare(project, half), alike=False)
    assert f"verify: {gone}" in said
    assert "DIFFERENT  models/weak/weights.safetensors: did not come out" in said


def test_a_commit_that_promises_less_than_its_models_is_no_measure(project: Repository, built: Path) -> None:
    Path("dvc.lock").write_text("stages: {}\n", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"dvc.lock: expected stages, found none"):
        _compare(project, built)
    content = YAML(typ="safe").load(built / "dvc.lock")
    content["stages"] = {name: entry for name, entry in content["stages"].items() if "@" not in name}
    YAML().dump(content, Path("dvc.lock"))
    said = _complaints(_compare(project, project.path), alike=False)
    assert "train@plain: not in the dvc.lock of these results, so it did not run" in said


def test_former_models_that_dvc_leaves_in_its_lock_are_not_promised(project: Repository) -> None:
    params = project.params()
    del params["models"]["weak"]
    project.write_params(params)
    project.commit("One model less")
    assert not [stage for stage in evidence.stages(at("HEAD")) if "weak" in stage]


def _reproduction(project: Repository, built: Path, *, asked: str, **recorded: str) -> Reproduction:
    """A commit that asks for this arithmetic and was recorded on such a machine, held against what was built."""
    project.write_params(project.params() | {"runtime": {"arithmetic": asked, "device": "cpu", "threads": 1}})
    write_json(paths.RECORDED, {"machine": machine.describe() | recorded, "core_seconds": {}})
    return replace(_compare(project, built), stale=[])


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [("native", {}), pytest.param("portable", {"processor": "another"}, marks=needs_avx2)],
)
def test_native_bits_agree_on_the_recorded_machine_and_portable_ones_everywhere(
    project: Repository, built: Path, asked: str, recorded: dict[str, str]
) -> None:
    _flip_a_bit(project)
    reached = _reproduction(project, built, asked=asked, **recorded)
    said = list(reached.lines())
    assert "every bit has to agree here" in said
    assert any(line.startswith(f"DIFFERENT  {WEIGHTS}: 1 of 22270 values") for line in said)
    with pytest.raises(PipelineError, match=f"every bit has to agree.*\n.*{WEIGHTS}"):
        reached.check()


def test_native_bits_of_another_machine_need_not_agree_and_that_is_said(project: Repository, built: Path) -> None:
    _flip_a_bit(project)
    reached = _reproduction(project, built, asked="native", processor="another")
    here = machine.describe()["processor"]
    why = f"the machine is not that of recorded.json: processor {here} instead of another"
    expected = f"bits may differ here, since runtime.arithmetic is native, and {why}"
    assert expected in list(reached.lines())
    assert reached.check().startswith("within the tolerance: ")


def test_where_portable_arithmetic_cannot_be_had_the_tolerance_counts(
    project: Repository, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _flip_a_bit(project)
    monkeypatch.setattr(portable, "obstacle", lambda _: "this processor lacks avx2")
    reached = _reproduction(project, built, asked="portable", processor="another")
    assert any("since this processor lacks avx2, and the machine is not that" in line for line in reached.lines())
    assert reached.check().startswith("within the tolerance: ")


def test_the_row_for_the_readme_names_the_machine_and_one_digest(project: Repository, built: Path) -> None:
    first = _reproduction(project, built, asked="portable").row().split(" | ")
    assert first[0] == f"| {machine.describe()['processor']}"
    _flip_a_bit(project)
    other = _reproduction(project, project.path, asked="portable").row().split(" | ")
    assert (first[:2], first[3]) == (other[:2], other[3])
    assert first[-1] != other[-1]


def test_bits_of_a_model_with_unproven_operators_need_not_agree_elsewhere(project: Repository) -> None:
    _flip_a_bit(project)
    project.edit("models/plain/model.json", arithmetic="unproven", unproven_operators=["gelu"])
    reached = _reproduction(project, project.path, asked="portable", processor="another")
    assert any("since plain is unproven, and the machine is not that" in line for line in reached.lines())


@pytest.mark.parametrize("content", ["{", "[]", '{"machine": 3}'])
def test_a_damaged_record_of_the_machine_is_named(content: str, project: Repository) -> None:
    paths.RECORDED.write_text(content, encoding="utf-8")
    project.write_params(project.params() | {"runtime": {"arithmetic": "native", "device": "cpu", "threads": 1}})
    with pytest.raises(PipelineError, match=r"recorded\.json: "):
        _compare(project, project.path)


@pytest.mark.parametrize("runtime", [None, 3, {"device": "abacus", "threads": 1}])
def test_a_runtime_that_is_none_is_named(runtime: object, project: Repository, built: Path) -> None:
    project.write_params(project.params() | {"runtime": runtime})
    with pytest.raises(PipelineError, match=r"^HEAD \([0-9a-f]{10}\): params\.yaml: runtime"):
        _compare(project, built)


def test_outputs_that_dvc_knows_without_md5_are_not_compared(project: Repository, built: Path, tmp_path: Path) -> None:
    """Neither they nor a stage without any end in a traceback."""
    bare = "stages:\n  note: {cmd: 'true'}\n  web: {cmd: 'true', outs: [{path: page, checksum: e1}]}\n"
    _replace_in_lock(project, "stages:\n", bare)
    results = Path(shutil.copytree(built, tmp_path / "results"))
    shutil.copyfile("dvc.lock", results / "dvc.lock")
    assert _complaints(_compare(project, results), alike=True) == []
    for command in (["report"], ["compare"], ["lineage", "HEAD"], ["verify-repro", "--here"]):
        assert "Traceback" not in project.run("mnist", *command, code=command[0] == "verify-repro")


def test_the_command_holds_the_folder_itself(project: Repository, built: Path) -> None:
    """As `make verify-lock` does after `make repro`; exit code 1 where a bit differs."""
    shutil.copy(built / paths.RECEIPT, paths.RECEIPT)
    said = project.run("mnist", "verify-repro", "--here")
    assert "45 of 45 files have the md5 that dvc.lock gives them" in said
    assert "reproduced: every bit is the committed one" in said
    Path(METRICS).write_text(json.dumps(read_json(Path(METRICS)) | {"test_loss": 1.0}), encoding="utf-8")
    said = project.run("mnist", "verify-repro", "--here", code=1)
    assert "test_loss: 1.0 instead of " in said
    assert "Traceback" not in said


def test_the_command_holds_some_stages_alone(project: Repository) -> None:
    Path(METRICS).write_text(json.dumps(read_json(Path(METRICS)) | {"test_loss": 1.0}), encoding="utf-8")
    others = project.run("mnist", "verify-repro", "--here", "--only", "*@weak", "--only", "verify")
    assert "reproduced: every bit is the committed one" in others
    assert "table of machines" not in others
    own = project.run("mnist", "verify-repro", "--here", "--only", "evaluate@plain", code=1)
    assert "models/" not in own.replace("metrics/models/plain", "")
    assert "plain: test_accuracy" in own
    assert f"DIFFERENT  {METRICS}" in own

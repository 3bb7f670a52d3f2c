"""What differs from the committed results is said with its cause and the way back, and not trained twice."""

import re

import pytest

from mnist_pipeline.commits import lockfile, provenance
from mnist_pipeline.core.params import Runtime
from tests.arithmetic.test_portable import needs_avx2
from tests.repository import Repository, outcomes

SAID = (
    r"^files that differ from the committed ones: (\d+), (.*); `git add .*` and `git commit` keep them, `(.*)` takes "
)
LINE = re.compile(f"{SAID}them back$", re.MULTILINE)
UNEXPLAINED = "though no input changed: see `mnist verify-repro --here`"


@needs_avx2
def test_bits_of_another_machine_in_git_lead_to_one_line_and_to_no_training(project: Repository) -> None:
    """The other machine is made up: its dvc.lock names a model that is not here, and its metrics are others."""
    assert LINE.findall(project.run("mnist", "repro")) == []
    ours, lock = lockfile.load(project.path / "dvc.lock").results("plain")["models/plain"], project.lock()
    project.edit("metrics/models/plain.json", test_loss=0.123)
    (project.path / "dvc.lock").write_bytes(project.lock().replace(ours.encode(), b"0" * 32 + b".dir"))
    project.commit("From another machine")
    for _ in range(2):
        output = project.run("mnist", "repro")
        trained = {name: how for name, how in outcomes(output).items() if name.startswith("train")}
        assert trained == {"train@plain": "restored", "train@weak": "unchanged"}
        [(count, since, back)] = LINE.findall(output)
        assert (count, since, back) == ("2", UNEXPLAINED, "git checkout HEAD -- dvc.lock metrics")
        assert project.lock() == lock
        project.run(*back.split())
        assert project.status() == ""


def test_why_results_differ_is_an_input_or_native_arithmetic(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    native, cuda = Runtime(arithmetic="native", device="cpu", threads=1), Runtime(device="cuda", threads=1)
    assert provenance.uncommitted(native) == ""
    project.edit("metrics/models/plain.json", test_loss=0.123)
    because = "since this machine computes in native arithmetic"
    [(_, since, _)] = LINE.findall(provenance.uncommitted(native))
    assert since == f"{because} (as runtime.arithmetic says)"
    [(_, since, _)] = LINE.findall(provenance.uncommitted(cuda))
    assert since == f"{because} (runtime.device is cuda)"
    exact = Runtime(arithmetic="exact", device="cpu", threads=1)  # as where another kind of machine used this folder
    [(_, since, _)] = LINE.findall(provenance.uncommitted(exact))
    assert since == "since plain, weak here: not trained in this machine's arithmetic"
    for name in ("params.yaml", "stages/evaluate.py", "stages/train.py"):
        (project.path / name).write_text("", encoding="utf-8")
    assert "since params.yaml, stages changed and this machine computes in " in provenance.uncommitted(cuda)


def test_what_was_committed_before_its_results_is_why_they_differ(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code whose results are the same bits, and a recipe; what the line says keeps them does."""
    monkeypatch.chdir(project.path)
    portable = Runtime(arithmetic="portable", device="cpu", threads=1)
    with (project.path / "stages/report.py").open("a", encoding="utf-8") as code:
        code.write("# changes nothing\n")
    project.commit("Code")
    [(count, since, _)] = LINE.findall(project.run("mnist", "repro"))
    assert (count, since) == ("1", "since stages changed")
    changed = project.params()
    changed["models"]["weak"]["optimizer"]["learning_rate"] = 2e-4
    project.write_params(changed)
    project.run("git", "commit", "--quiet", "--message", "Recipe", "params.yaml")
    project.repro()
    said = provenance.uncommitted(portable)
    assert [since for _, since, _ in LINE.findall(said)] == ["since params.yaml, stages changed"]
    keep, commit = re.findall(r"`(git add .*?)` and `(git commit)`", said)[0]
    project.run(*keep.split())
    project.run(*commit.split(), "--quiet", "--message", "Results")
    assert provenance.uncommitted(portable) == project.status() == ""


def test_where_git_has_no_lock_nothing_is_said(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    native = Runtime(arithmetic="native", device="cpu", threads=1)
    project.run("git", "rm", "--quiet", "--cached", "dvc.lock")
    project.run("git", "commit", "--quiet", "--message", "Without")
    assert provenance.uncommitted(native) == ""
    (project.path / ".git").rename(project.path / "elsewhere")
    assert provenance.uncommitted(native) == ""


def test_what_takes_results_back_leaves_what_is_staged_and_what_git_has_not(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit that is staged alone, and a picture that is new."""
    monkeypatch.chdir(project.path)
    notes, new = project.path / "metrics/notes.md", project.path / "results/test/plain/pictures/new.png"
    notes.write_text("before", "utf-8")
    project.commit("Notes")
    notes.write_text("staged", "utf-8")
    new.write_text("new", "utf-8")
    project.run("git", "add", "--force", str(notes), str(new))
    notes.write_text("before", "utf-8")
    project.edit("metrics/models/plain.json", test_loss=0.123)
    (project.path / "dvc.lock").write_bytes(project.lock() + b"# other\n")
    [(count, _, back)] = LINE.findall(provenance.uncommitted(Runtime(device="cpu", threads=1)))
    assert (count, back) == ("3", "git checkout HEAD -- dvc.lock metrics/models/plain.json")
    project.run(*back.split())
    assert project.run("git", "show", ":metrics/notes.md") == "staged"
    assert (project.status(), new.read_text("utf-8")) == (
        "MM metrics/notes.md\nA  results/test/plain/pictures/new.png\n",
        "new",
    )


def test_what_takes_results_back_leaves_other_edits(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    notes = project.path / "results/my notes.md"
    notes.write_text("before", "utf-8")
    project.run("git", "add", "--force", str(notes))
    project.commit("Notes")
    notes.write_text("edited", "utf-8")
    project.edit("metrics/models/plain.json", test_loss=0.123)
    (project.path / "results/test/plain/predictions.csv").write_text("other", "utf-8")
    (project.path / "dvc.lock").write_bytes(project.lock() + b"# other\n")
    [(count, _, back)] = LINE.findall(provenance.uncommitted(Runtime(device="cpu", threads=1)))
    assert (count, back) == ("3", "git checkout HEAD -- dvc.lock metrics results/test/plain/predictions.csv")
    project.run(*back.split())
    assert (project.status(), notes.read_text("utf-8")) == (' M "results/my notes.md"\n', "edited")

"""Sweeps in the small repository, by the real DVC: what was trained is kept, and the project stays as it was."""

import json
import re
import shutil
import signal
import subprocess
import time
from typing import Any

from tests.repository import Repository, outcomes, quick_environment


def sweep(repository: Repository, *options: str, code: int = 0) -> str:
    return repository.run("mnist", "sweep", *options, code=code)


def parsed(output: str) -> Any:
    """Standard output with --json comes first; progress follows it."""
    return json.JSONDecoder().raw_decode(output)[0]


def test_two_models_under_two_seeds(project: Repository) -> None:
    shutil.rmtree(project.path / "data/idx")
    first = sweep(project, "--seeds", "2", "--json")
    assert outcomes(first) == {
        "download": "unchanged",
        "verify": "ran",
        "train-1@plain": "restored",
        "train-1@weak": "restored",
        "evaluate-1@plain": "restored",
        "evaluate-1@weak": "restored",
        "train-2@plain": "ran",
        "train-2@weak": "ran",
        "evaluate-2@plain": "ran",
        "evaluate-2@weak": "ran",
    }
    content = parsed(first)
    rows = {(row["seed"], row["model"]): row for row in content["results"]}
    assert list(rows) == [(1, "plain"), (1, "weak"), (2, "plain"), (2, "weak")]
    for model in ("plain", "weak"):
        own = json.loads((project.path / f"metrics/models/{model}.json").read_text("utf-8"))
        assert own | rows[1, model] == own | {"seed": 1, "model": model}
        trained = [(project.path / f".sweep/{seed}/models/{model}/weights.safetensors").read_bytes() for seed in (1, 2)]
        assert trained[0] != trained[1]
    assert content["models"]["plain"]["seeds"] == 2

    again = sweep(project, "--seeds", "2", "--md")
    assert outcomes(again) == dict.fromkeys(outcomes(first), "unchanged")
    commit = project.run("git", "rev-parse", "--short=7", "HEAD").strip()
    assert "| **plain** |" in again
    assert f"over the seeds 1, 2 at commit {commit}. " in again

    assert project.status() == ""
    assert "sweep" not in project.run("dvc", "metrics", "show")
    assert "sweep" not in project.run("dvc", "status")
    assert {name for name, outcome in project.repro().items() if outcome != "unchanged"} == {"publish"}


def test_a_seed_that_fails_is_reported_and_the_others_are_summed_up(project: Repository) -> None:
    obstacle = project.path / ".sweep/2/results"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("a file of the user's\n", "utf-8")
    output = sweep(project, "--seeds", "3", "--models", "weak", "--json", code=1)
    assert [(row["seed"], row["model"]) for row in parsed(output)["results"]] == [(1, "weak"), (3, "weak")]
    assert re.search(r"^train-2@weak +failed DVC: .*Not a directory: .*history.csv", output, re.MULTILINE)
    assert "error: train-2@weak failed (see above); not run: evaluate-2@weak" in output
    assert obstacle.read_text("utf-8") == "a file of the user's\n"

    obstacle.unlink()
    repaired = outcomes(sweep(project, "--seeds", "3", "--models", "weak"))
    assert {name for name, outcome in repaired.items() if outcome != "unchanged"} == {"train-2@weak", "evaluate-2@weak"}


def test_a_sweep_goes_on_after_ctrl_c(project: Repository) -> None:
    command = ["mnist", "sweep", "--models", "plain", "--seeds", "2", "--jobs", "1"]
    interrupted = subprocess.Popen(
        command,
        cwd=project.path,
        env=quick_environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it in the background
    )
    began = time.monotonic()
    while not (project.path / ".sweep/.logs/train-2@plain.log").exists():
        assert time.monotonic() - began < 60
        time.sleep(0.05)
    interrupted.send_signal(signal.SIGINT)
    said = interrupted.communicate()[1]
    assert "Traceback" not in said
    assert said.endswith("\ninterrupted: the same command goes on, a training after its last whole epoch\n")
    assert interrupted.returncode == 130
    again = outcomes(project.run(*command))
    assert {name for name, outcome in again.items() if outcome == "ran"} == {"train-2@plain", "evaluate-2@plain"}


def test_what_a_record_would_not_be_true_of_is_refused(project: Repository) -> None:
    sweep(project, "--seeds", "1", "--record")
    recorded = json.loads((project.path / "docs/seeds.json").read_text("utf-8"))
    assert recorded["commit"] == project.run("git", "rev-parse", "--short=7", "HEAD").strip()
    assert [row["model"] for row in recorded["results"]] == ["plain", "weak"]

    code = project.path / "src/mnist_pipeline/training/loop.py"
    code.write_text(f"{code.read_text('utf-8')}\n# another version\n", "utf-8")
    assert "commit them first" in sweep(project, "--seeds", "2", "--record", code=1)
    assert "no models.week; there are plain, weak" in sweep(project, "--seeds", "2", "--models", "week", code=1)
    project.write_params(project.params() | {"split": {"seed": 0, "validation": 0}})
    assert "split.validation is 0: without validation images" in sweep(project, "--seeds", "2", code=1)


def test_the_params_are_swept_as_they_are(project: Repository) -> None:
    """No `mnist repro` is needed before, neither for new data nor for a new recipe."""
    project.write_params(project.params() | {"split": {"seed": 5, "validation": 50}})
    output = sweep(project, "--seeds", "1", "--models", "weak")
    ran = dict.fromkeys(["verify", "train-1@weak", "evaluate-1@weak"], "ran")
    assert outcomes(output) == {"download": "unchanged"} | ran
    assert "with changes" in output

"""DVC's experiments as people use them: a grid and a sweep through the real queue with two workers.

All of it runs once, in one small repository; the tests look at what was left, or change a copy.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.repository import ROOT, Repository, environment

pytestmark = pytest.mark.long
GRID = [f"grid-{number}" for number in range(1, 5)]
LEARNING_RATE, BATCH = "models.weak.optimizer.learning_rate", "models.weak.batch"
TAGS = """
    SELECT v.value, e.value, b.value FROM model_version_tags v
    JOIN model_versions m ON m.version = v.version
    JOIN tags e ON e.run_uuid = m.run_id AND e.key = 'dvc.experiment'
    JOIN tags b ON b.run_uuid = m.run_id AND b.key = 'dvc.baseline'
    WHERE v.key = 'candidate' ORDER BY e.value
"""


@pytest.fixture(scope="session")
def shared(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The built repository, published, after a grid of 2 × 2 and a sweep whose third seed fails; made once for all."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "experiments"
    with FileLock(f"{path}.lock"):
        if not (path / ".done").exists():
            ignored = shutil.ignore_patterns(".mlflow", "output.txt", "tmp")
            _experiment(Repository(Path(shutil.copytree(built, path, ignore=ignored))))
            (path / ".done").touch()
    return Repository(path)


def _experiment(repository: Repository) -> None:
    repository.run("mnist", "publish")
    stage = repository.path / "stages/train.py"
    code = stage.read_text(encoding="utf-8").replace(
        "    recipe =", "    if settings.seed == 3:\n        raise SystemExit('seed 3 fails here')\n    recipe ="
    )
    stage.write_text(code, encoding="utf-8")
    repository.run("dvc", "commit", "--quiet", "--force")  # it does the same for every other seed
    repository.commit("A stage that fails with one seed")
    (repository.path / ".git/info/exclude").write_text("*.txt\n.done\n", encoding="utf-8")
    try:
        _grid(repository)
        (repository.path / "first.txt").write_text(_sweep(repository, "--seeds", "3", "--json", code=1), "utf-8")
        (repository.path / "again.txt").write_text(_sweep(repository, "--seeds", "2", "--md"), "utf-8")
        repository.run("mnist", "sweep", "--seeds", "1", "--record")
    finally:
        repository.run("dvc", "queue", "stop", "--kill")


def _grid(repository: Repository) -> None:
    changes = ["--set-param", f"{LEARNING_RATE}=0.001,0.01", "--set-param", f"{BATCH}=32,64"]
    repository.run("dvc", "exp", "run", "--queue", "--name", "grid", *changes)
    repository.run("sh", "-c", "dvc queue start --jobs 2 > start.txt 2>&1")  # workers would hold a pipe open
    while re.search(r"Queued|Running", status := repository.run("dvc", "queue", "status")):
        time.sleep(2)
    assert status.count("Success") == 4, status


def _sweep(repository: Repository, *options: str, code: int = 0) -> str:
    return repository.run("mnist", "sweep", "--models", "weak", *options, code=code)


@pytest.fixture
def own(shared: Repository, tmp_path: Path) -> Repository:
    """A copy to change."""
    return Repository(Path(shutil.copytree(shared.path, tmp_path / "own", ignore=shutil.ignore_patterns("tmp"))))


def test_each_experiment_is_in_the_store_once_with_its_name_and_baseline(shared: Repository) -> None:
    baseline = shared.run("git", "rev-parse", "HEAD").strip()
    found = shared.query(TAGS)
    names = [name for _, name, _ in found]
    assert names[:4] == GRID
    assert len(names) == 5  # and one of the sweep: its first seed is that of the repository, which was published before
    assert re.fullmatch(r"seed-2-[0-9a-f]{7}", names[4])
    assert {commit for *_, commit in found} == {baseline}
    assert shared.published() == {"runs": 7, "unfinished": 0, "models": 7, "versions": 7}


def test_experiments_are_no_candidates_and_leave_champion_and_files_alone(shared: Repository) -> None:
    for candidate, name, _ in shared.query(TAGS):
        assert candidate == f"no: it is from experiment {name}; apply that, then `make repro`"
    assert shared.champion() == "plain"
    assert shared.status().split() == ["??", "docs/"]  # the record of the sweep


def test_the_line_for_a_table_of_experiments_is_readable(shared: Repository) -> None:
    """As docs/experiments.md has it; DVC shortens what does not fit to `…`."""
    line = re.search(r"^\$ (dvc exp show .*)$", (ROOT / "docs/experiments.md").read_text("utf-8"), flags=re.MULTILINE)
    assert line is not None
    command = f"{line[1]} --no-pager".replace("mlp_28", "weak")
    table = shared.run("sh", "-c", command, COLUMNS="120").splitlines()
    assert "…" not in "".join(table)
    head = table[1].split()
    assert head[0] == "Experiment"
    assert {"validation.weak", LEARNING_RATE, BATCH} <= set(head)
    assert len(head) <= 10
    assert all(any(f"[{name}]" in row for row in table) for name in GRID)


def test_an_applied_experiment_becomes_a_candidate_without_training(own: Repository) -> None:
    own.run("dvc", "exp", "apply", "grid-3")
    assert own.params()["models"]["weak"]["optimizer"]["learning_rate"] == 0.01
    outcomes = own.repro()
    assert [stage for stage, outcome in outcomes.items() if outcome != "unchanged"] == ["publish"]
    assert own.published()["versions"] == 7
    candidates = {name: candidate for candidate, name, _ in own.query(TAGS)}
    assert [name for name, candidate in candidates.items() if candidate == "yes"] == ["grid-3"]


def test_an_experiment_becomes_a_branch_and_a_removed_one_stays_in_the_store(own: Repository) -> None:
    own.run("dvc", "exp", "branch", "grid-1", "trial")
    assert "learning_rate: 0.001" in own.run("git", "show", "trial:params.yaml")
    own.run("dvc", "exp", "remove", *GRID)
    assert "grid" not in own.run("git", "for-each-ref", "refs/exps")
    assert own.published()["versions"] == 7


def test_a_sweep_sums_up_what_ended_and_names_what_failed(shared: Repository) -> None:
    output = (shared.path / "first.txt").read_text("utf-8")
    content, end = json.JSONDecoder().raw_decode(output)
    assert [(row["seed"], row["model"]) for row in content["results"]] == [(1, "weak"), (2, "weak")]
    first = json.loads((shared.path / "metrics/models/weak.json").read_text("utf-8"))
    assert content["results"][0]["test_accuracy"] == first["test_accuracy"]
    failed = re.search(
        r"^(seed-3-[0-9a-f]{7}) +failed; what it printed: dvc queue logs \1$", output[end:], re.MULTILINE
    )
    assert failed is not None
    assert "seed 3 fails here" in shared.run("dvc", "queue", "logs", failed[1])


def test_a_sweep_trains_only_its_models_and_takes_over_what_is_there(shared: Repository) -> None:
    name = re.search(r"seed-2-\w+", (shared.path / "again.txt").read_text("utf-8"))
    assert name is not None
    assert re.findall(r"Running stage '(\S+)'", shared.run("dvc", "queue", "logs", name[0])) == [
        "train@weak",
        "evaluate@weak",
        "report",
        "publish",
    ]
    again = (shared.path / "again.txt").read_text("utf-8")
    assert re.findall(r"^seed-(\d)-\w+ +(.*)$", again, re.MULTILINE) == [("1", "there already"), ("2", "there already")]
    recorded = json.loads((shared.path / "docs/seeds.json").read_text("utf-8"))
    assert recorded["commit"] == shared.run("git", "rev-parse", "--short=7", "HEAD").strip()
    assert len(recorded["results"]) == 2
    assert "| **weak** |" in again


def test_a_sweep_of_stages_that_still_have_to_run_is_refused(own: Repository) -> None:
    own.write_params(own.params() | {"split": {"seed": 5, "validation": 50}})
    output = _sweep(own, "--seeds", "2", code=1)
    assert "not up to date: " in output
    assert "train@weak" in output
    assert "run `make repro` first" in output
    assert "commit them first" in own.run("mnist", "sweep", "--seeds", "2", "--record", code=1)
    assert "no models.week; there are plain, weak" in own.run(
        "mnist", "sweep", "--seeds", "2", "--models", "week", code=1
    )


def test_a_sweep_goes_on_after_it_and_its_worker_were_killed(project: Repository) -> None:
    project.run("mnist", "publish")
    command = ["mnist", "sweep", "--models", "plain", "--seeds", "2", "--jobs", "1"]
    try:
        sweep = subprocess.Popen(
            command,
            cwd=project.path,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it in the background
        )
        worker = _running_worker(project)
        sweep.send_signal(signal.SIGINT)
        assert "DVC's workers go on; to end them: dvc queue stop --kill" in sweep.communicate()[1]
        assert sweep.returncode == 130
        os.killpg(os.getpgid(worker), signal.SIGKILL)
        assert project.run("dvc", "queue", "status").count("Success") == 0
        output = project.run(*command)
    finally:
        project.run("dvc", "queue", "stop", "--kill")
    assert sorted(re.findall(r"^seed-(\d)-\w+ +(done after|failed)", output, re.MULTILINE)) == [
        ("1", "done after"),
        ("2", "done after"),
    ]
    assert project.published() == {"runs": 3, "unfinished": 0, "models": 3, "versions": 3}


def _running_worker(repository: Repository) -> int:
    """The process of the first worker, once it has begun an experiment."""
    for _ in range(60):
        if re.search(r" Running *$", repository.run("dvc", "queue", "status"), flags=re.MULTILINE):
            break
    started = repository.path / ".dvc/tmp/exps/celery/dvc-exp-worker-1.json"
    return int(json.loads(started.read_text("utf-8"))["pid"])

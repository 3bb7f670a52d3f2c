"""DVC's experiments as people use them: a grid through the real queue with two workers.

All of it runs once, in one small repository; the tests look at what was left, or change a copy.
"""

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.repository import ROOT, Repository

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
    """The built repository, published, after a grid of 2 × 2; made once for all."""
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
    (repository.path / ".git/info/exclude").write_text("*.txt\n.done\n", encoding="utf-8")
    try:
        _grid(repository)
    finally:
        repository.run("dvc", "queue", "stop", "--kill")


def _grid(repository: Repository) -> None:
    changes = ["--set-param", f"{LEARNING_RATE}=0.001,0.01", "--set-param", f"{BATCH}=32,64"]
    repository.run("dvc", "exp", "run", "--queue", "--name", "grid", *changes)
    repository.run("sh", "-c", "dvc queue start --jobs 2 > start.txt 2>&1")  # workers would hold a pipe open
    while re.search(r"Queued|Running", status := repository.run("dvc", "queue", "status")):
        time.sleep(2)
    assert status.count("Success") == 4, status


@pytest.fixture
def own(shared: Repository, tmp_path: Path) -> Repository:
    """A copy to change."""
    return Repository(Path(shutil.copytree(shared.path, tmp_path / "own", ignore=shutil.ignore_patterns("tmp"))))


def test_each_experiment_is_in_the_store_once_with_its_name_and_baseline(shared: Repository) -> None:
    baseline = shared.run("git", "rev-parse", "HEAD").strip()
    found = shared.query(TAGS)
    assert [name for _, name, _ in found] == GRID
    assert {commit for *_, commit in found} == {baseline}
    assert shared.published() == {"runs": 6, "unfinished": 0, "models": 6, "versions": 6}


def test_experiments_are_no_candidates_and_leave_champion_and_files_alone(shared: Repository) -> None:
    for candidate, name, _ in shared.query(TAGS):
        assert candidate == f"no: it is from experiment {name}; apply that, then `make repro`"
    assert shared.champion() == "plain"
    assert shared.status() == ""


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
    assert own.published()["versions"] == 6
    candidates = {name: candidate for candidate, name, _ in own.query(TAGS)}
    assert [name for name, candidate in candidates.items() if candidate == "yes"] == ["grid-3"]


def test_an_experiment_becomes_a_branch_and_a_removed_one_stays_in_the_store(own: Repository) -> None:
    own.run("dvc", "exp", "branch", "grid-1", "trial")
    assert "learning_rate: 0.001" in own.run("git", "show", "trial:params.yaml")
    own.run("dvc", "exp", "remove", *GRID)
    assert "grid" not in own.run("git", "for-each-ref", "refs/exps")
    assert own.published()["versions"] == 6

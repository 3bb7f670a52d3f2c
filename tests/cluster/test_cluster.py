"""The pipeline on two nodes: the dvc.lock of one machine, whatever happens to nodes and driver."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import synthetic
from tests.cluster.conftest import NODE, left
from tests.repository import Repository, create, environment

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
LONG = synthetic.recipe(epochs=300, batch=16)
SECONDS = 200.0  # also on a busy machine


@pytest.fixture(scope="module")
def one_machine(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose two trainings take seconds, run on one machine."""
    data = synthetic.data_params(published, [str(published)])
    models = {"one": LONG, "two": LONG | {"optimizer": {"name": "sgd", "learning_rate": 0.01}}}
    made = create(tmp_path_factory.mktemp("one") / "machine", synthetic.params(data, models=models))
    made.run("mnist", "repro")
    made.commit("Results")
    return made


@pytest.fixture
def clone(one_machine: Repository, tmp_path: Path) -> Repository:
    """A fresh clone without a dvc.lock and without the other's cache."""
    copied = one_machine.clone(tmp_path / "clone")
    (copied.path / "dvc.lock").unlink()
    for folder in ("metrics", "results"):
        shutil.rmtree(copied.path / folder)
    return Repository(copied.path, real=True)


@contextmanager
def repro(clone: Repository, address: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """`mnist repro` on the cluster, once both trainings have reached the driver with a state; and what it prints."""
    said = clone.path.parent / f"said-{time.monotonic()}"
    command = ["mnist", "repro", "--cluster", address]
    with said.open("w") as output:
        process = subprocess.Popen(
            command, cwd=clone.path, env=environment(), stdout=output, stderr=output, text=True, start_new_session=True
        )

    def both_train() -> bool:
        return process.poll() is not None or len(states(clone)) == len(trainings()) == 2

    try:
        wait_for(both_train, lambda: said.read_text("utf-8"))
        assert process.poll() is None, said.read_text("utf-8")
        yield process, said
    finally:
        process.kill()
        process.wait()


def states(clone: Repository) -> list[Path]:
    return [*clone.path.glob(".resume/*/state.safetensors")]


def wait_for(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < SECONDS, what()
        time.sleep(0.2)


def trainings() -> list[int]:
    """Processes of stages that run in a folder of a worker's."""
    found = [process for process in psutil.process_iter(["cwd"]) if "mnist-stage-" in (process.info["cwd"] or "")]
    return [process.pid for process in found]


def resumed(clone: Repository) -> set[str]:
    """The models whose training says that it went on after an epoch."""
    logs = [path.read_text("utf-8") for path in (clone.path / ".logs").glob("train@*.log")]
    return {model for log in logs for model in re.findall(r"^(\w+) goes on after epoch \d+", log, flags=re.MULTILINE)}


def check(clone: Repository, one_machine: Repository) -> None:
    assert clone.lock() == one_machine.lock()
    assert clone.status() == ""
    assert states(clone) == []
    assert left() == []


@pytest.fixture
def second(two_nodes: Any) -> Iterator[Any]:
    """The node beside the head's, which may be lost; another one takes its place."""
    other = next(iter(two_nodes.worker_nodes))
    yield other
    if other in two_nodes.worker_nodes:
        two_nodes.remove_node(other, allow_graceful=False)
    two_nodes.add_node(**NODE)


@pytest.mark.parametrize("how", ["killed", "silent"])
def test_trainings_of_a_lost_node_go_on_elsewhere(
    how: str, two_nodes: Any, second: Any, clone: Repository, one_machine: Repository
) -> None:
    """`silent`: all of its processes stop, as when its network is cut; once they wake up, they end."""
    with repro(clone, two_nodes.address) as (process, said):
        raylet = psutil.Process(second.all_processes["raylet"][0].process.pid)
        stopped = [raylet, *raylet.children(recursive=True)] if how == "silent" else []
        for one in stopped:
            one.suspend()
        if how == "killed":
            two_nodes.remove_node(second, allow_graceful=False)
        try:
            assert process.wait(SECONDS) == 0, said.read_text("utf-8")
        finally:
            for one in stopped:
                one.resume()
    output = said.read_text("utf-8")
    ran = dict(re.findall(r"^(\S+) +ran .* core-seconds(.*)$", output, flags=re.MULTILINE))
    assert {name for name, where in ran.items() if not where} == {"download", "report", "publish"}
    lost = re.findall(r"^train@(\w+) +failed on 127\.0\.0\.1 \(\w+\), not by its own error", output, re.MULTILINE)
    assert lost, output
    assert resumed(clone) == set(lost)
    assert left() == []
    assert trainings() == []
    check(clone, one_machine)


def test_after_ctrl_c_and_after_a_kill_no_worker_trains_on_and_the_next_run_resumes(
    two_nodes: Any, clone: Repository, one_machine: Repository
) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with repro(clone, two_nodes.address) as (process, _):
            assert trainings()
            os.killpg(process.pid, number)
            process.wait(20)
        assert left() == []
        assert trainings() == []
        assert len(states(clone)) == 2
    clone.run("mnist", "repro", "--cluster", two_nodes.address)
    assert resumed(clone) == {"one", "two"}
    check(clone, one_machine)


def test_a_machine_with_another_lock_does_not_join(two_nodes: Any, clone: Repository, tmp_path: Path) -> None:
    other = tmp_path / "numpy-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9\n", "utf-8")
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    said = clone.run("mnist", "worker", two_nodes.address, code=1, PYTHONPATH=path)
    assert "can't be a worker: numpy: expected 2." in said
    assert "found 9.9; `make setup-cluster`" in said
    assert len(said.splitlines()) == 1
    said = clone.run("mnist", "repro", "--cluster", "127.0.0.1:1", code=1)
    assert "127.0.0.1:1: no Ray cluster answers" in said

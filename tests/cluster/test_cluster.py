"""The pipeline on two nodes: the dvc.lock of one machine, whatever happens to nodes and driver."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from mnist_pipeline.core import params
from mnist_pipeline.pipeline import repro as pipeline
from tests import synthetic
from tests.cluster.conftest import NODE, Added, Count, left, silent
from tests.faults.conftest import full
from tests.portable import machines
from tests.repository import Repository, create, environment, quick_environment

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
LONG = synthetic.recipe(epochs=120, batch=16)
SECONDS = 200.0  # also on a busy machine
ENDED = {"Ctrl-C": signal.SIGINT, "driver killed": signal.SIGKILL}
LOST = ("killed", "silent")
__all__ = ["full"]


@pytest.fixture(scope="module")
def one_machine(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose two trainings take seconds, run on one machine."""
    data = synthetic.data_params(published, [str(published)])
    models = {"one": LONG, "two": LONG | {"optimizer": {"name": "sgd", "learning_rate": 0.01}}}
    made = create(tmp_path_factory.mktemp("one") / "machine", synthetic.params(data, models=models))
    made.run("mnist", "repro")
    made.commit("Results")
    return made


def fresh(one_machine: Repository, target: Path) -> Repository:
    """A clone without a dvc.lock and without the other's cache."""
    copied = one_machine.clone(target)
    (copied.path / "dvc.lock").unlink()
    for folder in ("metrics", "results"):
        shutil.rmtree(copied.path / folder)
    return copied


@contextmanager
def repro(clone: Repository, address: str, variables: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """`mnist repro` on the cluster, once both trainings have sent the driver a state; and what it prints."""
    said = clone.path.parent / f"said-{time.monotonic()}"
    before = {path: path.stat().st_mtime_ns for path in states(clone)}
    command = ["mnist", "repro", "--cluster", address]
    with said.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=clone.path,
            env=variables,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it in the background
        )

    def both_train() -> bool:
        new = [path for path in states(clone) if path.stat().st_mtime_ns != before.get(path)]
        return process.poll() is not None or len(new) == len(trainings()) == 2

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
    return {
        model for log in logs for model in re.findall(r"^note: (\w+) goes on after epoch \d+", log, flags=re.MULTILINE)
    }


@contextmanager
def losing(two_nodes: Any, how: str) -> Iterator[None]:
    """The node beside the head's is killed, or silent for a while; another one takes its place."""
    other = next(iter(two_nodes.worker_nodes))
    with silent(other) if how == "silent" else nullcontext():
        if how == "killed":
            two_nodes.remove_node(other, allow_graceful=False)
        yield
    assert left() == []
    if other in two_nodes.worker_nodes:
        two_nodes.remove_node(other)
    two_nodes.add_node(**NODE)


def end_in_mid_training(clone: Repository, address: str, signal_number: int) -> float:
    """Seconds after which nothing runs on, here or on a node, and nothing is left of it; the states stay."""
    with repro(clone, address, environment()) as (process, _):
        began = time.monotonic()
        os.killpg(process.pid, signal_number)
        process.wait(20)
        assert left() == []
        assert trainings() == []
    assert len(states(clone)) == 2
    return time.monotonic() - began


def lose_in_mid_training(clone: Repository, store: str, two_nodes: Any, how: str) -> int:
    """Trainings that started elsewhere; only what has to ran on the driver."""
    variables = quick_environment(MLFLOW_TRACKING_URI=store)
    with repro(clone, two_nodes.address, variables) as (process, said), losing(two_nodes, how):
        code = process.wait(SECONDS)
    output = said.read_text("utf-8")
    assert code == 0, output
    here = re.findall(r"^(\S+) +ran .* core-seconds$", output, flags=re.MULTILINE)
    assert {*here} <= {"download", "report", "publish"}
    moved = re.findall(r"^train@(\w+) +failed on 127\.0\.0\.1 \(\w+\), not by its own error", output, re.MULTILINE)
    assert moved, output
    return len(moved)


def test_what_ends_or_is_lost_in_mid_training_goes_on_and_nobody_can_tell(
    two_nodes: Any, one_machine: Repository, tmp_path: Path, full: bool, count: Count
) -> None:
    """Ctrl-C, the driver killed, a node lost, one after the other in one clone; in full, several times."""
    seconds: dict[str, list[float]] = {name: [] for name in ENDED}
    moved: dict[str, list[int]] = {name: [] for name in LOST}
    store = f"sqlite:///{one_machine.path}/.mlflow/mlflow.db"  # a new one would take ten seconds
    for number, how in enumerate(LOST * 2 if full else LOST[:1]):
        clone = fresh(one_machine, tmp_path / str(number))
        for name, signal_number in ENDED.items():
            seconds[name].append(end_in_mid_training(clone, two_nodes.address, signal_number))
        moved[how].append(lose_in_mid_training(clone, store, two_nodes, how))
        assert resumed(clone) == {"one", "two"}
        assert clone.lock() == one_machine.lock()
        assert clone.status() == ""
        assert states(clone) == []
    for name, took in seconds.items():
        outcome = f"nothing ran on after {max(took):.1f} s at most; the next run went on after the last epoch"
        count(name, len(took), outcome)
    for how, trainings_moved in moved.items():
        outcome = f"{sum(trainings_moved)} trainings went on elsewhere, after the last epoch that had arrived"
        count(f"node {how}", len(trainings_moved), outcome)


def test_a_machine_that_is_as_the_lock_says_joins(two_nodes: Any, one_machine: Repository) -> None:
    session = two_nodes.head_node.get_session_dir_path()

    def of_the_cluster() -> set[psutil.Process]:
        return {one for one in psutil.process_iter(["cmdline"]) if session in " ".join(one.info["cmdline"] or ())}

    before = of_the_cluster()
    said = one_machine.run("mnist", "worker", two_nodes.address, "--cores", "3")
    new = of_the_cluster() - before
    raylets = [one for one in new if one.name() == "raylet"]
    for one in new:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    assert len(raylets) == 1
    assert f"cluster at {two_nodes.address}: 3; `ray stop` ends it" in said


def test_a_machine_with_another_lock_does_not_join(
    two_nodes: Any, one_machine: Repository, tmp_path: Path, count: Count
) -> None:
    other = tmp_path / "numpy-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9\n", "utf-8")
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    said = one_machine.run("mnist", "worker", two_nodes.address, code=1, PYTHONPATH=path)
    assert "can't be a worker: numpy: expected 2." in said
    assert "found 9.9; `make setup-cluster`" in said
    assert len(said.splitlines()) == 1
    said = one_machine.run("mnist", "repro", "--cluster", "127.0.0.1:1", code=1)
    assert "127.0.0.1:1: no Ray cluster answers" in said
    said = one_machine.run("mnist", "worker", "192.0.2.1:6379", code=1)
    assert "192.0.2.1:6379 can't reach this machine at 127.0.0.1; say --address" in said
    count("another lock, at the machine", 1, "refused before it joins, with the package and both versions")


def test_a_node_with_another_processor_gives_the_same_bits(
    two_nodes: Any,
    node: Added,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    full: bool,
    count: Count,
) -> None:
    """Every stage that may run there runs under an emulator, on a processor without AVX-512."""
    if not full:
        pytest.skip("it takes minutes and needs .ci/emulator: make test-cluster FULL=--full")
    data = synthetic.data_params(published, [str(published)])
    made = create(tmp_path / "machine", synthetic.params(data, models={"one": synthetic.recipe()}))
    made.run("mnist", "repro")
    lock = made.lock()
    shutil.rmtree(made.path / ".dvc/cache")
    (made.path / "dvc.lock").unlink()
    monkeypatch.chdir(made.path)
    monkeypatch.setattr(sys, "executable", str(emulated(tmp_path / "venv")))
    with node() as other:
        monkeypatch.undo()
        monkeypatch.chdir(made.path)
        import ray

        from mnist_pipeline.cluster.driver import Cluster

        cluster = Cluster(Path(".logs"), two_nodes.address, params.load().runtime, print)
        cluster.accepted = {name: where for name, where in cluster.accepted.items() if name == other.node_id}
        pipeline.repro(1, {}, lambda _: True, commands=cluster)
        ray.shutdown()
    stages = (tmp_path / "venv/emulated").read_text("utf-8").split()
    assert stages == ["stages/verify.py", "stages/train.py", "stages/evaluate.py"]
    assert made.lock() == lock
    count("a node with another processor, emulated", 1, "every stage gave the same bits")


def emulated(venv: Path) -> Path:
    """The interpreter of a copy of this environment, whose `python3` is emulated and notes each script."""
    (venv / "bin").mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    (venv / "bin/python").symlink_to(machines.PYTHON)
    emulator = shlex.join(machines.EMULATED[0].before)
    script = f'#!/bin/sh\necho "$1" >>{venv}/emulated\nexec {emulator} {venv}/bin/python "$@"\n'
    (venv / "bin/python3").write_text(script, "utf-8")
    (venv / "bin/python3").chmod(0o755)
    return venv / "bin/python"

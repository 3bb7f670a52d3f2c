"""Stages of shell commands on real nodes: what they get and give, and what happens when a node is not well."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Runtime
from mnist_pipeline.pipeline import repro
from tests.cluster.conftest import Added, Count, left, silent
from tests.faults import disks
from tests.faults.conftest import full
from tests.pipeline.conftest import Project, shell

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
__all__ = ["full", "shell"]
RUNTIME = Runtime(arithmetic="native", device="cpu", threads=1)
DAMAGE = """
from mnist_pipeline.cluster import messages
pack = messages.pack
damages = {"output": b"?"}
messages.pack = lambda content=b"", **header: pack(content, **header) + damages.get(header["kind"], b"")
"""
Run = Callable[[], list[str]]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(two_nodes: Any, said: list[str]) -> Iterator[Run]:
    """Run the project on the cluster as it is then; returns the stages that ran."""
    import ray

    from mnist_pipeline.cluster.driver import Cluster

    def on_the_cluster() -> list[str]:
        try:
            cluster = Cluster(Path(".logs"), two_nodes.address, RUNTIME, said.append)
            return [*repro.repro(cluster.jobs, {}, lambda _: True, commands=cluster)]
        finally:
            ray.shutdown()

    yield on_the_cluster
    assert left() == []


def test_outputs_and_logs_come_back_from_two_nodes_at_once(
    shell: Project, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meet = "touch {0}/{1}; until [ -e {0}/{2} ]; do sleep 0.1; done"  # each waits for the other
    shell.write(
        a={"cmd": f"{meet.format(tmp_path, 1, 2)}; echo said; cp source a", "deps": ["source"], "outs": ["a"]},
        b={"cmd": f"{meet.format(tmp_path, 2, 1)}; mkdir -p b/c; cp source b/c/d", "deps": ["source"], "outs": ["b"]},
        download={"cmd": "pwd >download", "deps": ["a", "b"], "outs": ["download"]},
    )
    assert sorted(run()) == ["a", "b", "download"]
    assert Path("a").read_bytes() == Path("b/c/d").read_bytes() == Path("source").read_bytes()
    assert Path("download").read_text("utf-8") == f"{tmp_path}\n"
    assert Path(".logs/a.log").read_text("utf-8") == "said"
    nodes = re.findall(r"^[ab] .* on (127\.0\.0\.1 \(\w+\))$", capsys.readouterr().out, flags=re.MULTILINE)
    assert len(set(nodes)) == 2
    cluster_lock = Path("dvc.lock").read_bytes()
    Path("dvc.lock").unlink()
    repro.repro(2, {}, lambda _: True)
    assert Path("dvc.lock").read_bytes() == cluster_lock


def test_a_stages_own_error_is_not_tried_again_and_reads_as_on_one_machine(
    shell: Project, run: Run, said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], count: Count
) -> None:
    """One lacks what it does not declare, which is there on one machine."""
    Path("other").touch()
    noted = f"echo ran >>{tmp_path}/log"
    broken = {"cmd": f"{noted}; echo it broke >&2; exit 7", "outs": ["b"]}
    shell.write(a={"cmd": f"{noted}; cat source other >a", "deps": ["source"], "outs": ["a"]}, b=broken)
    with pytest.raises(PipelineError, match=r"(a, b|b, a) failed"):
        run()
    assert shell.logged() == ["ran", "ran"]
    assert said == []
    on_nodes = re.sub(r"after +[\d.]+ s", "", capsys.readouterr().out)
    assert re.search(r"^a +failed with exit code 1 .*:\ncat: other: No such", on_nodes, re.MULTILINE)
    shell.write(b=broken)
    with pytest.raises(PipelineError, match="b failed"):
        shell.run()
    assert re.sub(r"after +[\d.]+ s", "", capsys.readouterr().out) in on_nodes
    count("a stage's own error", 1, "not tried again; it reads as on one machine")
    count("a dependency that is not declared", 1, "not there, and the stage fails")


def test_a_node_that_is_not_accepted_gets_no_stage_though_it_has_the_inputs(
    shell: Project, two_nodes: Any, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What a stage needs is in the driver's store, and Ray likes to run it there."""
    import ray

    from mnist_pipeline.cluster.driver import Cluster

    Path("source").write_bytes(os.urandom(10**6))
    shell.write(**{name: {"cmd": f"cp source {name}", "deps": ["source"], "outs": [name]} for name in "ab"})
    cluster = Cluster(Path(".logs"), two_nodes.address, RUNTIME, said.append)
    cluster.accepted.pop(two_nodes.head_node.node_id)
    try:
        assert len(repro.repro(1, {}, lambda _: True, commands=cluster)) == 2
    finally:
        ray.shutdown()
    (node,) = cluster.accepted.values()
    assert capsys.readouterr().out.count(f" on {node}") == 2


def three(shell: Project, seconds: float = 2) -> None:
    """Stages, each of which notes that it runs and keeps a core for so long."""
    work = f"echo ran >>{Path.cwd()}/log; sleep {seconds}; cp source"
    shell.write(**{name: {"cmd": f"{work} {name}", "deps": ["source"], "outs": [name]} for name in "abc"})


def test_a_node_that_damages_messages_gives_way_and_one_with_another_lock_is_refused(
    shell: Project, run: Run, node: Added, said: list[str], tmp_path: Path, count: Count
) -> None:
    (tmp_path / "damaging").mkdir()
    (tmp_path / "damaging/sitecustomize.py").write_text(DAMAGE, "utf-8")
    other = tmp_path / "other/numpy-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9\n", "utf-8")
    three(shell)
    path = os.environ["PYTHONPATH"]
    with node(PYTHONPATH=f"{tmp_path}/damaging:{path}"), node(PYTHONPATH=f"{other.parent}:{path}"):
        assert sorted(run()) == ["a", "b", "c"]
    assert all(Path(name).read_bytes() == Path("source").read_bytes() for name in "abc")
    refused, *damaged = said
    assert re.fullmatch(r"node 127\.0\.0\.1 \(\w+\) is refused: numpy: expected [\d.]+, found 9\.9", refused)
    assert damaged
    assert all("SHA-256" in line for line in damaged), said
    count("messages that arrive damaged", len(damaged), "the stage started elsewhere")
    count("another lock, at the driver", 1, "the node is refused, with the package and both versions")


def test_a_full_disk_of_a_node_is_not_that_of_a_stage(
    shell: Project, run: Run, node: Added, said: list[str], tmp_path: Path, full: bool, count: Count
) -> None:
    Path("source").write_bytes(bytes(3 << 20))
    with disks.small(tmp_path / "disk", 1) as disk, node(TMPDIR=str(disk)):
        for number in range(5 if full else 1):
            three(shell, 2 + number / 10)
            assert sorted(run()) == ["a", "b", "c"]
            assert [*disk.iterdir()] == []
    assert said
    assert all("No space left on device" in line for line in said), said
    count("a node's disk full", len(said), "the stage started elsewhere")


def test_a_silent_node_gives_way(shell: Project, run: Run, node: Added, said: list[str]) -> None:
    """As when its network is cut: its processes stop, and wake up when nobody waits for them."""
    done = threading.Event()
    three(shell, 4)
    with node() as cut, ThreadPoolExecutor(1) as pool:

        def cut_off() -> None:
            while len(shell.logged()) < 3 and not done.wait(0.1):
                pass
            with silent(cut):
                done.wait()

        pool.submit(cut_off)
        try:
            assert sorted(run()) == ["a", "b", "c"]
        finally:
            done.set()
    assert len(shell.logged()) == 4
    assert len(said) == 1
    assert "health check takes it for dead" in said[0]


def test_when_no_node_is_left_stages_fail_and_do_not_wait(
    shell: Project, two_nodes: Any, node: Added, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One runs on the only accepted node, one waits for its core."""
    import ray

    from mnist_pipeline.cluster.driver import Cluster

    shell.write(**{name: {"cmd": f"sleep 100; cp source {name}", "deps": ["source"], "outs": [name]} for name in "ab"})
    with node() as lonely:
        cluster = Cluster(Path(".logs"), two_nodes.address, RUNTIME, said.append)
        cluster.accepted = {name: where for name, where in cluster.accepted.items() if name == lonely.node_id}
        losing = threading.Timer(3, lambda: [process.process.kill() for process in lonely.all_processes["raylet"]])
        losing.start()
        with pytest.raises(PipelineError, match=r"(a, b|b, a) failed"):
            repro.repro(2, {}, lambda _: True, commands=cluster)
    ray.shutdown()
    assert "no node of the cluster is left" in capsys.readouterr().out

"""Stages of shell commands on real nodes: what they get and give, and what happens when a node is not well."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Runtime
from mnist_pipeline.pipeline import repro
from tests.cluster.conftest import Added, left
from tests.faults import disks
from tests.pipeline.conftest import Project, shell

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
__all__ = ["shell"]
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
        cluster = Cluster(Path(".logs"), two_nodes.address, RUNTIME, said.append)
        return [*repro.repro(cluster.jobs, {}, lambda _: True, commands=cluster)]

    yield on_the_cluster
    ray.shutdown()
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


def test_what_is_not_declared_is_not_there_and_the_stage_fails_once(
    shell: Project, run: Run, said: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other").touch()
    command = f"echo ran >>{tmp_path}/log; cat source other >a"
    shell.write(a={"cmd": command, "deps": ["source"], "outs": ["a"]})
    with pytest.raises(PipelineError, match="a failed"):
        run()
    assert re.search(r"^a +failed with exit code 1 after .* s:\ncat: other: No such", capsys.readouterr().out, re.M)
    assert shell.logged() == ["ran"]
    assert said == []


def test_a_node_that_damages_messages_gives_way_to_another(
    shell: Project, run: Run, node: Added, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "damaging").mkdir()
    (tmp_path / "damaging/sitecustomize.py").write_text(DAMAGE, "utf-8")
    work = "sleep 3; cp source"
    shell.write(**{name: {"cmd": f"{work} {name}", "deps": ["source"], "outs": [name]} for name in "abc"})
    with node(PYTHONPATH=f"{tmp_path}/damaging:{os.environ['PYTHONPATH']}"):
        assert sorted(run()) == ["a", "b", "c"]
    assert all(Path(name).read_bytes() == Path("source").read_bytes() for name in "abc")
    assert any("SHA-256" in line for line in said), said


def test_a_full_disk_of_a_node_is_not_that_of_a_stage(
    shell: Project, run: Run, node: Added, said: list[str], tmp_path: Path
) -> None:
    Path("source").write_bytes(bytes(3 << 20))
    shell.write(**{name: {"cmd": f"sleep 3; cp source {name}", "deps": ["source"], "outs": [name]} for name in "abc"})
    with disks.small(tmp_path / "disk", 1) as disk, node(TMPDIR=str(disk)):
        assert sorted(run()) == ["a", "b", "c"]
        assert [*disk.iterdir()] == []
    assert any("No space left on device" in line for line in said), said


def test_a_node_with_another_lock_is_refused(
    shell: Project, run: Run, node: Added, said: list[str], tmp_path: Path
) -> None:
    other = tmp_path / "other/numpy-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9\n", "utf-8")
    shell.write(a={"cmd": "cp source a", "deps": ["source"], "outs": ["a"]})
    with node(PYTHONPATH=f"{other.parent}:{os.environ['PYTHONPATH']}"):
        assert run() == ["a"]
    assert len(said) == 1
    assert re.fullmatch(r"node 127\.0\.0\.1 \(\w+\) is refused: numpy: expected [\d.]+, found 9\.9", said[0])


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
        losing = threading.Timer(4, lambda: [process.process.kill() for process in lonely.all_processes["raylet"]])
        losing.start()
        with pytest.raises(PipelineError, match=r"(a, b|b, a) failed"):
            repro.repro(2, {}, lambda _: True, commands=cluster)
    ray.shutdown()
    assert "no node of the cluster is left" in capsys.readouterr().out

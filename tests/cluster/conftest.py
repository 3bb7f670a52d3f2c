"""A Ray cluster on this machine: two nodes on 127.0.0.1 with a core each, and more where a test adds them."""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from mnist_pipeline.core import tables
from tests.faults import ledger
from tests.repository import environment

NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 200 << 20}
HEALTH = {"initial_delay_ms": 1000, "period_ms": 500, "timeout_ms": 2000, "failure_threshold": 4}
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
TITLE = "Stages on a cluster"
TEXT = """\
By `make test-cluster FULL=--full`: two nodes of one core each on 127.0.0.1, and a third one where one of three is not
well. Ctrl-C, driver and node in mid-training: `mnist repro --cluster` of a small pipeline of two trainings, each of
which has sent a state when it happens; afterwards dvc.lock is byte for byte that of one machine. With another
processor: one training and its evaluation. The others: stages of shell commands. No node kept anything of a stage."""
Added = Callable[..., AbstractContextManager[Any]]
Count = Callable[[str, int, str], None]


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[Any]:
    """Two nodes that find the project's programs as a worker's clone has them."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in set(os.environ) - set(environment()):
            patch.delenv(name)
        for name, value in (environment() | RAY).items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        system = {f"health_check_{name}": value for name, value in HEALTH.items()}
        head = NODE | {"include_dashboard": False, "_system_config": system}
        running = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False)
        running.add_node(**NODE)
        yield running
        running.shutdown()


@pytest.fixture
def node(two_nodes: Any) -> Added:
    """A further node for a while, with environment variables of its own."""

    @contextmanager
    def added(**variables: str) -> Iterator[Any]:
        one = two_nodes.add_node(**NODE, env_vars=variables)
        try:
            yield one
        finally:
            if one in two_nodes.worker_nodes:
                two_nodes.remove_node(one)  # not by force: the next test would take it for alive

    return added


@pytest.fixture(scope="session")
def count(pytestconfig: pytest.Config) -> Iterator[Count]:
    """Note what broke, how often, and what came of it; with `--full` all goes into tests/faults/results.md."""
    rows: list[dict[str, str | int]] = []
    yield lambda broke, times, outcome: rows.append({"what broke": broke, "times": times, "what came of it": outcome})
    section = f"{TEXT}\n\n{tables.markdown(rows)}"
    print(f"\n{TITLE}\n{section}")
    if pytestconfig.getoption("--full"):
        ledger.write(TITLE, section)


@contextmanager
def silent(node: Any) -> Iterator[None]:
    """All processes of a node are stopped, as when its network is cut; afterwards they wake up."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    stopped = [raylet, *raylet.children(recursive=True)]
    for one in stopped:
        one.suspend()
    try:
        yield
    finally:
        for one in stopped:
            one.resume()


def left(seconds: float = 10.0) -> list[Path]:
    """Folders of stages that are still there after so many seconds."""
    end = time.monotonic() + seconds
    while (found := [*Path("/tmp").glob("mnist-stage-*")]) and time.monotonic() < end:  # noqa: S108
        time.sleep(0.1)
    return found

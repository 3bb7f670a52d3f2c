"""A Ray cluster on this machine: two nodes on 127.0.0.1 with a core each, and more where a test adds them."""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.repository import environment

NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 200 << 20}
HEALTH = {"initial_delay_ms": 1000, "period_ms": 1000, "timeout_ms": 2000, "failure_threshold": 4}
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
Added = Callable[..., AbstractContextManager[Any]]


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
                two_nodes.remove_node(one, allow_graceful=False)

    return added


def left(seconds: float = 10.0) -> list[Path]:
    """Folders of stages that are still there after so many seconds."""
    end = time.monotonic() + seconds
    while (found := [*Path("/tmp").glob("mnist-stage-*")]) and time.monotonic() < end:  # noqa: S108
        time.sleep(0.1)
    return found

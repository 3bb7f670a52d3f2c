"""What cannot matter: threads, layout in memory, kernels, and how a batch is split over processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mnist_pipeline.training import loop
from tests.arithmetic.test_portable import OTHERS
from tests.exact import trainings, worker
from tests.repository import ROOT, environment

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@pytest.mark.parametrize("network", trainings.NETWORKS)
@pytest.mark.parametrize(
    ("threads", "layout"), [(1, "contiguous"), (1, "channels_last"), (2, "contiguous"), (4, "channels_last")]
)
def test_the_weights_are_the_same(network: str, layout: str, threads: int) -> None:
    torch.set_num_threads(threads)  # every test begins with one
    training = trainings.start(network)
    training.network.to(memory_format=FORMATS[layout])
    for images, labels in trainings.batches():
        loop.step(training, images.to(memory_format=FORMATS[layout]), labels)
    assert trainings.digest(training) == trainings.DIGESTS[network]


def test_two_processes_with_a_part_of_each_batch_end_with_the_weights_of_one(tmp_path: Path) -> None:
    """Each on other kernels than the other one. What is not finite in one of them ends both."""
    environments = [environment(GLOO_SOCKET_IFNAME="lo", **kernels) for kernels in ({}, OTHERS)]
    command = [sys.executable, "-m", "tests.exact.worker", str(tmp_path / "meeting")]
    running = [
        subprocess.Popen([*command, str(rank)], cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)
        for rank, variables in enumerate(environments)
    ]
    for process in running:
        found = json.loads(process.communicate(timeout=100)[0])
        assert "found up to inf" in found.pop()
        assert found == [trainings.DIGESTS[network] for network, _ in worker.CASES]

"""One training over two processes: images a second of two gloo processes against one process with two threads.

Each process computes the gradients of half a batch on one thread and gets the mean of both, as data parallelism does.
Run by `benchmarks.cluster`; alone: python -m benchmarks.gradients.
"""

import os
import time
from multiprocessing import get_context
from typing import Any

import torch
from torch import distributed
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from mnist_pipeline import networks
from mnist_pipeline.core import tables

BATCH, STEPS, IMAGES = 128, 60, 6_000_000
NETWORKS = ("mlp_28", "mlp_128_64", "cnn_separable", "convnet")
PORT = "29541"


def compare() -> str:
    """A row a network, from few to many operations for each weight."""
    rows = []
    for name in NETWORKS:
        alone, together = _seconds(1, name), _seconds(2, name)
        rows.append(
            {
                "network": name,
                "one process, images/s": f"{BATCH * STEPS / alone:.0f}",
                "two processes, images/s": f"{BATCH * STEPS / together:.0f}",
                "two / one": f"{alone / together:.2f}",
                "6,000,000 images, one process, s": f"{IMAGES / (BATCH * STEPS / alone):.0f}",
            }
        )
    return tables.markdown(rows)


def _seconds(workers: int, name: str) -> float:
    context = get_context("spawn")
    answers = context.SimpleQueue()
    processes = [context.Process(target=work, args=(rank, workers, name, answers)) for rank in range(workers)]
    for process in processes:
        process.start()
    seconds = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return float(max(seconds))


def step(network: Any, optimizer: Any, images: Any, labels: Any, workers: int) -> None:
    """One step of the optimizer by the mean of all workers' gradients."""
    optimizer.zero_grad()
    cross_entropy(network(images), labels).backward()
    if workers > 1:
        gradients = parameters_to_vector(parameter.grad for parameter in network.parameters())
        distributed.all_reduce(gradients)
        holders = [parameter.grad for parameter in network.parameters()]
        vector_to_parameters(gradients / workers, holders)
    optimizer.step()


def work(rank: int, workers: int, name: str, answers: Any) -> None:
    """Train on made-up images and answer with the seconds of the steps after the first ten."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=PORT)
    torch.set_num_threads(2 // workers)
    if workers > 1:
        distributed.init_process_group("gloo", rank=rank, world_size=workers)
    network = networks.build(name).train()
    optimizer = torch.optim.AdamW(network.parameters())
    images, labels = torch.rand(BATCH // workers, 1, 28, 28), torch.arange(BATCH // workers) % 10
    for count in range(STEPS + 10):
        if count == 10:
            began = time.perf_counter()
        step(network, optimizer, images, labels, workers)
    answers.put(time.perf_counter() - began)


if __name__ == "__main__":
    print(compare())

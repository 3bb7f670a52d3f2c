"""One training over two processes: images a second of two gloo processes against one process with two threads.

Each process computes the gradients of half a batch on one thread and gets the mean of both, as data parallelism does.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from benchmarks import growth
from mnist_pipeline import networks
from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import tables
from mnist_pipeline.data import dataset, idx

BATCH, STEPS, FIRST, ROUNDS = 128, 50, 5, 3
IMAGES, NETWORKS = growth.COUNTS[-1], ("mlp_28", "convnet", "cnn_5x5")
PORT = "29541"
TEXT = f"""One training over two processes: {STEPS} steps of AdamW after the first {FIRST}, batches of {BATCH} in random
order from the {IMAGES:,} images of «Growth», which are memory-mapped; one process with two threads and two processes
with one each, whose gradients gloo averages over 127.0.0.1, by turns, in native arithmetic; medians of {ROUNDS}."""
PINNED = (*portable.PINS, "OPENBLAS_NUM_THREADS")


def compare() -> str:
    """A row a network, from few to many operations for each weight."""
    data = dataset.training_set()
    rows = []
    with tempfile.TemporaryDirectory() as folder, _unpinned():
        place = Path(folder) / "images"
        with place.open("wb") as stream:
            for shifted in islice(growth.shifted(data.pixels.numpy()), IMAGES // len(data.labels)):
                stream.write(shifted.tobytes())
        for name in NETWORKS:
            runs = [[_seconds(count, name, place) for count in (1, 2)] for _ in range(ROUNDS)]
            one, two = (BATCH * STEPS / median(seconds) for seconds in zip(*runs, strict=True))
            row = {"network": name, "one process, images/s": f"{one:.0f}", "two processes, images/s": f"{two:.0f}"}
            rows.append(row | {"two / one": f"{two / one:.2f}", "an epoch in one, min": f"{IMAGES / one / 60:.0f}"})
    return f"{TEXT}\n\n{tables.markdown(rows)}"


@contextmanager
def _unpinned() -> Iterator[None]:
    """Processes that are started inside have their own kernels and threads."""
    pins = {name: os.environ.pop(name) for name in PINNED if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(pins)


def _seconds(count: int, name: str, images: Path) -> float:
    context = get_context("spawn")
    answers = context.SimpleQueue()
    processes = [context.Process(target=work, args=(rank, count, name, images, answers)) for rank in range(count)]
    for process in processes:
        process.start()
    seconds = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return float(max(seconds))


def work(rank: int, count: int, name: str, place: Path, answers: Any) -> None:
    """Train, and answer with the seconds of the steps after the first."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=PORT)
    torch.set_num_threads(2 // count)
    if count > 1:
        distributed.init_process_group("gloo", rank=rank, world_size=count)
    torch.manual_seed(0)
    network = networks.build(name).train()
    optimizer = torch.optim.AdamW(network.parameters())
    images = np.memmap(place, np.uint8, "r").reshape(-1, 1, idx.SIZE, idx.SIZE)
    order, labels = np.random.default_rng(0).permutation(len(images)), torch.arange(BATCH // count) % 10
    for step in range(FIRST + STEPS):
        if step == FIRST:
            began = time.perf_counter()
        mine = np.sort(order[step * BATCH : (step + 1) * BATCH][rank::count])
        optimizer.zero_grad()
        cross_entropy(network(torch.from_numpy(images[mine]) / 255), labels).backward()
        if count > 1:
            _average([parameter.grad for parameter in network.parameters() if parameter.grad is not None], count)
        optimizer.step()
    answers.put(time.perf_counter() - began)


def _average(gradients: list[torch.Tensor], count: int) -> None:
    joined = parameters_to_vector(gradients)
    distributed.all_reduce(joined)
    vector_to_parameters(joined / count, gradients)

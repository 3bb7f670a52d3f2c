"""One of two processes that train together: each has a part of every batch. Prints where it ends, as JSON."""

import json
import math
import sys
from datetime import timedelta

import torch
from torch import distributed

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.data import dataset
from mnist_pipeline.exact import elementary, products
from tests.exact import trainings

CASES = [("mlp_28", [32, 32]), ("mlp_28", [50, 14]), ("cnn_avgpool", [50, 14])]  # images of each process


def train(network: str, sizes: list[int], rank: int) -> str:
    """Where a training ends of which this process has that part of every batch."""
    training = trainings.start(network)
    for images, labels in trainings.batches():
        part, digits = (whole.split(sizes)[rank] for whole in (images, labels))
        logits = training.network(dataset.scale(part, training.recipe.scaling))
        training.optimizer.zero_grad()
        smoothing = training.recipe.label_smoothing
        logits.backward(elementary.cross_entropy(logits, digits, smoothing, trainings.BATCH)[1])
        training.optimizer.step()
    return trainings.digest(training)


def refusal(rank: int) -> str:
    """What this process says when the numbers of the other one, or its own, are not finite."""
    try:
        products.total(torch.full((2, 1), math.nan if rank else 1.0))
    except PipelineError as error:
        return str(error)
    return "nothing"


def main(place: str, rank: int) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{place}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    print(json.dumps([*(train(network, sizes, rank) for network, sizes in CASES), refusal(rank)]))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

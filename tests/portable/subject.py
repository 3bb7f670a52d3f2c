"""What is compared, in the process that computes it: prints this processor, digests of steps and of operators as JSON.

Run: python -m tests.portable.subject STEPS [MODEL …], in a folder with params.yaml and data/idx.
"""

import json
import platform
import sys
from itertools import islice

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core import params

portable.pin()  # before numpy is imported

import torch

from mnist_pipeline.arithmetic import runtime
from mnist_pipeline.data import dataset
from mnist_pipeline.training import loop
from tests.portable import cases, processor


def main(count: int, models: list[str]) -> None:
    settings = params.load()
    device = runtime.configure(settings.runtime)
    data = dataset.training_set()
    images = data, dataset.split(data.labels.numpy(), settings.split)[0]
    steps = {}
    for model in models:
        started = loop.start(settings.recipe(model), settings.seed, device, portable.expected(settings.runtime))
        runtime.seed(settings.seed, epoch=1)
        started.network.train()
        losses = [loss for loss, _, _ in islice(loop.steps(started, images, epoch=1), count)]
        steps[model] = f"{cases.digest(started.network.state_dict().values())} {losses[-1]}"
    found = {
        "processor": processor.describe(),
        "libc": " ".join(platform.libc_ver()),
        "torch": f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}",
        "steps": steps,
    }
    if settings.runtime.arithmetic != "exact":  # which has no operators of torch's as they are
        found["operators"] = cases.digests()
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

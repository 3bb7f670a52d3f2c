"""Which of torch's operators a training uses, and whether they are known to give the same bits on every processor."""

import copy
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mnist_pipeline import evaluation, training
from mnist_pipeline.dataset import Images
from mnist_pipeline.training import Training

PROVEN = frozenset(
    """
    _foreach_add_ _fused_adamw_ _fused_sgd_ _local_scalar_dense _log_softmax _log_softmax_backward_data
    _record_function_enter_new _record_function_exit _softmax _softmax_backward_data _to_copy _unsafe_view add add_
    addmm affine_grid_generator argmax avg_pool2d avg_pool2d_backward batch_norm bernoulli_ bitwise_not clone conv2d
    convolution convolution_backward copy_ cos detach div div_ dropout empty empty_like eq expand flatten
    grid_sampler_2d index index_select linear masked_fill masked_fill_ max_pool2d max_pool2d_with_indices
    max_pool2d_with_indices_backward mm mul mul_ native_batch_norm native_batch_norm_backward neg nll_loss_backward
    nll_loss_forward ones_like permute rand randperm relu relu_ sin slice split stack sub sub_ sum t tan
    threshold_backward to unbind unsqueeze view zeros zeros_like
    """.split()
)


class Recorder(TorchDispatchMode):
    """Inside, the names of all operators that torch runs gather in `names`: convolution, mul_ and so on."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ARG002
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def used(started: Training, images: Images) -> set[str]:
    """The operators of one batch of a training and of its scoring. They run on a copy; torch's generator moves on."""
    trial, (data, indices) = copy.deepcopy(started), images
    with Recorder() as recorder:
        next(training.steps(trial, images, epoch=1))
        evaluation.predict(trial.network, data, indices[:1], trial.recipe.scaling)
    return recorder.names


def unproven(started: Training, images: Images) -> list[str]:
    """Those of them that may give other bits on another processor, sorted."""
    return sorted(used(started, images) - PROVEN)

"""Which of torch's operators a training uses, and which are known to give the same bits on every processor."""

import copy
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mnist_pipeline.data.dataset import Images
from mnist_pipeline.training import evaluation, loop
from mnist_pipeline.training.loop import Training

# Those of the cases of tests/portable and the shipped recipes. A kernel may depend on the shape too: only `make
# test-portable`, which runs both, proves a network. Left out, though common: gelu, mish and softplus, which take
# functions of the C library (glibc 2.36 and 2.41 round otherwise), pow, which may be a root of MKL's, and norms.
PROVEN = frozenset(
    """
    _adaptive_avg_pool2d _adaptive_avg_pool2d_backward _foreach_add_ _foreach_addcdiv_ _foreach_addcmul_ _foreach_div_
    _foreach_lerp_ _foreach_mul_ _foreach_sqrt _fused_adamw_ _fused_sgd_ _local_scalar_dense _log_softmax
    _log_softmax_backward_data _prelu_kernel _prelu_kernel_backward _scaled_dot_product_flash_attention_for_cpu
    _scaled_dot_product_flash_attention_for_cpu_backward _softmax _softmax_backward_data _to_copy _unsafe_view abs add
    add_ addcdiv_ addcmul_ addmm affine_grid_generator amax arange argmax as_strided as_strided_ avg_pool2d
    avg_pool2d_backward batch_norm bernoulli_ binary_cross_entropy_with_logits bitwise_not bmm cat clamp clone
    constant_pad_nd conv2d convolution convolution_backward copy_ cos cumsum detach div div_ dropout elu elu_backward
    empty empty_like eq erf exp expand fill_ flatten flip full_like grid_sampler_2d grid_sampler_2d_backward gt
    hardswish hardswish_backward hardtanh hardtanh_backward index index_select leaky_relu leaky_relu_backward lerp_
    lift_fresh linear linspace log log1p logical_and_ lt masked_fill masked_fill_ max_pool2d max_pool2d_with_indices
    max_pool2d_with_indices_backward mean mm mse_loss mse_loss_backward mul mul_ native_batch_norm
    native_batch_norm_backward native_group_norm native_group_norm_backward native_layer_norm native_layer_norm_backward
    neg new_empty new_empty_strided new_zeros nll_loss_backward nll_loss_forward normal_ ones ones_like pad permute
    profiler._record_function_enter_new profiler._record_function_exit rand randn randperm relu relu_ scalar_tensor sgn
    sigmoid sigmoid_backward silu silu_backward sin slice softmax split sqrt squeeze stack std sub sub_ sum t tan tanh
    tanh_backward threshold_backward to transpose unbind uniform_ unsqueeze upsample_bilinear2d
    upsample_bilinear2d_backward upsample_nearest2d upsample_nearest2d_backward var view where zero_ zeros zeros_like
    """.split()  # noqa: SIM905
)


class Recorder(TorchDispatchMode):
    """Inside, the names of all operators that torch runs gather in `names`: `mul_`, or `exp of torch.float64`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not needed without torch.compile, and torch would import that first."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [value for value in (*args, *(kwargs or {}).values()) if isinstance(value, torch.Tensor)]
        others = {str(tensor.dtype) for tensor in tensors if tensor.dtype.is_floating_point or tensor.dtype.is_complex}
        name = str(func.overloadpacket).removeprefix("aten.")
        self.names |= {f"{name} of {kind}" for kind in others - {"torch.float32"}} or {name}
        return func(*args, **(kwargs or {}))


def used(started: Training, images: Images) -> set[str]:
    """The operators of one batch of a training and of its scoring. They run on a copy; torch's generator moves on."""
    trial, (data, indices) = copy.deepcopy(started), images
    recorder = Recorder()
    with recorder:
        next(loop.steps(trial, images, epoch=1))
        evaluation.predict(trial.network, data, indices[:1], trial.recipe.scaling)
    return recorder.names


def unproven(started: Training, images: Images) -> list[str]:
    """Those of them that may give other bits on another processor, sorted."""
    return sorted(used(started, images) - PROVEN)

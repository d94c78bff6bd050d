"""Batch normalisation over the global batch, also if it is split over several processes.

Unlike torch's SyncBatchNorm it also runs on CPUs. In one process both classes equal torch's.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override


class BatchNorm1d(nn.BatchNorm1d):
    """`nn.BatchNorm1d` over the global batch, unless `across_devices` is set to False."""

    across_devices = True

    @override
    def forward(self, input: Tensor) -> Tensor:
        return _normalise_globally(self, input) if _batch_is_split(self) else super().forward(input)


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the global batch, unless `across_devices` is set to False."""

    across_devices = True

    @override
    def forward(self, input: Tensor) -> Tensor:
        return _normalise_globally(self, input) if _batch_is_split(self) else super().forward(input)


def _batch_is_split(module: BatchNorm1d | BatchNorm2d) -> bool:
    if not (module.training and module.across_devices):
        return False
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _normalise_globally(module: _BatchNorm, input: Tensor) -> Tensor:
    axes = [axis for axis in range(input.dim()) if axis != 1]
    shape = [1, -1] + [1] * (input.dim() - 2)
    count = input.numel() / input.shape[1] * dist.get_world_size()
    mean = all_reduce(input.float().sum(axes)) / count
    centred = input.float() - mean.view(shape)
    variance = all_reduce(centred.square().sum(axes)) / count
    _update_running_statistics(module, mean.detach(), variance.detach() * count / (count - 1))
    normalised = centred * torch.rsqrt(variance + module.eps).view(shape)
    if module.weight is not None:
        normalised = normalised * module.weight.view(shape) + module.bias.view(shape)
    return normalised.to(input.dtype)


@torch.no_grad()
def _update_running_statistics(module: _BatchNorm, mean: Tensor, unbiased_variance: Tensor) -> None:
    assert module.running_mean is not None  # for the type checker: these layers always track
    assert module.running_var is not None
    assert module.num_batches_tracked is not None
    assert module.momentum is not None
    module.num_batches_tracked.add_(1)
    module.running_mean.lerp_(mean, module.momentum)
    module.running_var.lerp_(unbiased_variance, module.momentum)


def scale_and_shift(features: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Computes features [B, C, H, W] times gain [B, C] plus bias [B, C], in the features' precision."""
    gain, bias = (each[:, :, None, None].to(features.dtype) for each in (gain, bias))
    return torch.addcmul(bias, features, gain)

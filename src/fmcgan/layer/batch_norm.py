"""Batch normalisation over the global batch, also if it is split over several processes.

Unlike torch's SyncBatchNorm it also runs on CPUs. In one process both classes equal torch's.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from fmcgan.app.device import memory_format

_MPS_NEEDS_CONTIGUOUS = memory_format("mps") == torch.contiguous_format


class _GlobalBatchNorm(_BatchNorm):
    """Replaces the forward pass of the torch class that a subclass also derives from."""

    across_devices = True

    def forward(self, input: Tensor) -> Tensor:
        if _MPS_NEEDS_CONTIGUOUS and input.device.type == "mps":
            input = input.contiguous()
        may_split = self.training and self.across_devices and dist.is_available() and dist.is_initialized()
        return self._normalise_globally(input) if may_split and dist.get_world_size() > 1 else super().forward(input)

    def _normalise_globally(self, input: Tensor) -> Tensor:
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = input.numel() / input.shape[1] * dist.get_world_size()
        mean = all_reduce(input.float().sum(axes)) / count
        centred = input.float() - mean.view(shape)
        variance = all_reduce(centred.square().sum(axes)) / count
        with torch.no_grad():
            assert self.num_batches_tracked is not None  # for the type checker: these layers always track
            self.num_batches_tracked.add_(1)
            for statistic, value in ((self.running_mean, mean), (self.running_var, variance * count / (count - 1))):
                assert statistic is not None
                assert self.momentum is not None
                statistic.lerp_(value, self.momentum)
        normalised = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(input.dtype)


class BatchNorm1d(_GlobalBatchNorm, nn.BatchNorm1d):
    """`nn.BatchNorm1d` over the global batch, unless `across_devices` is set to False."""


class BatchNorm2d(_GlobalBatchNorm, nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the global batch, unless `across_devices` is set to False."""


def scale_and_shift(features: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Computes features [B, C, H, W] times gain [B, C] plus bias [B, C], in the features' precision."""
    gain, bias = (each[:, :, None, None].to(features.dtype) for each in (gain, bias))
    return torch.addcmul(bias, features, gain)

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
    fused = False
    """Whether `layer/fused.py` may replace this layer and its neighbours while training."""

    def forward(self, input: Tensor) -> Tensor:
        if _MPS_NEEDS_CONTIGUOUS and input.device.type == "mps":
            input = input.contiguous()
        return self._normalise_globally(input) if self.training and self.world_size > 1 else super().forward(input)

    @property
    def world_size(self) -> int:
        """Number of processes whose batches are normalised together."""
        is_split = self.across_devices and dist.is_available() and dist.is_initialized()
        return dist.get_world_size() if is_split else 1

    def _normalise_globally(self, input: Tensor) -> Tensor:
        normalised, mean, variance = self.normalised(input)
        self.update_statistics(mean, variance, input.numel() // input.shape[1] * self.world_size)
        if self.weight is not None:
            shape = [1, -1] + [1] * (input.dim() - 2)
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(input.dtype)

    def normalised(self, input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns (x - mean) / deviation in float32, mean and variance [C], over the batches of all processes."""
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = input.numel() / input.shape[1] * self.world_size
        add_up = all_reduce if self.world_size > 1 else lambda total: total
        mean = add_up(input.float().sum(axes)) / count
        centred = input.float() - mean.view(shape)
        variance = add_up(centred.square().sum(axes)) / count
        return centred * torch.rsqrt(variance + self.eps).view(shape), mean, variance

    @torch.no_grad()
    def update_statistics(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Moves the running statistics towards mean and variance [C] of ``count`` values of each channel."""
        assert self.num_batches_tracked is not None  # for the type checker: these layers always track
        self.num_batches_tracked.add_(1)
        for statistic, value in ((self.running_mean, mean), (self.running_var, variance * count / (count - 1))):
            assert statistic is not None
            assert self.momentum is not None
            statistic.lerp_(value, self.momentum)


class BatchNorm1d(_GlobalBatchNorm, nn.BatchNorm1d):
    """`nn.BatchNorm1d` over the global batch, unless `across_devices` is set to False."""


class BatchNorm2d(_GlobalBatchNorm, nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the global batch, unless `across_devices` is set to False."""


class ConditionalNorm(nn.Module):
    """Batch normalisation with gain and bias of each sample: gain * (x - mean) / deviation + bias.

    Mean and deviation are those of the whole batch.
    """

    norm: BatchNorm2d

    def gain_and_bias(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Maps the condition of each sample to gain and bias, each [B, C], or [C] for all samples."""
        raise NotImplementedError

    def forward(self, input: Tensor, condition: Tensor) -> Tensor:
        """Maps features [B, C, H, W] and conditions to the same shape."""
        return scale_and_shift(self.norm(input), *self.gain_and_bias(condition))


def scale_and_shift(features: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Computes features [B, C, H, W] times gain [B, C] plus bias [B, C], in the features' precision."""
    gain, bias = (each[:, :, None, None].to(features.dtype) for each in (gain, bias))
    return torch.addcmul(bias, features, gain)

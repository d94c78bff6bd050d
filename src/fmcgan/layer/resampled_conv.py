"""Convolutions of 3 x 3 fused with a change of resolution: the same result from 4 / 9 of the products.

Both are linear, so together they are a 4 x 4 convolution with stride 2, whose kernel is a sum of shifted copies of the
3 x 3 kernel. Only the 3 x 3 kernel is a parameter.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override


class PooledConv2d(nn.Conv2d):
    """A 3 x 3 convolution, then 2 x 2 average pooling: [B, ``inputs``, 2H, 2W] to [B, ``outputs``, H, W]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    @override
    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, _shifted_sum(self.weight) / 4, self.bias, stride=2, padding=1)


class UpsampledConv2d(nn.Conv2d):
    """Nearest-neighbour upsampling, then a 3 x 3 convolution: [B, ``inputs``, H, W] to [B, ``outputs``, 2H, 2W]."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    @override
    def forward(self, input: Tensor) -> Tensor:
        # A transposed convolution flips its kernel and has the input channels first.
        kernel = _shifted_sum(self.weight).flip(2, 3).transpose(0, 1)
        return F.conv_transpose2d(input, kernel, self.bias, stride=2, padding=1)


def _shifted_sum(weight: Tensor) -> Tensor:
    """Maps kernels [O, I, 3, 3] to [O, I, 4, 4]; along each axis (a, b, c) becomes (a, a + b, b + c, c)."""
    wide = F.pad(weight, (0, 1, 0, 0)) + F.pad(weight, (1, 0, 0, 0))
    return F.pad(wide, (0, 0, 0, 1)) + F.pad(wide, (0, 0, 1, 0))

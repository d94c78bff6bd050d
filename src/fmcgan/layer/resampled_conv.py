"""A 3 x 3 convolution and a change of the resolution in one: the same numbers from 4 / 9 of the products.

Both steps are linear, so together they are one convolution of 4 x 4 with stride 2, whose kernel is made of shifted
copies of the 3 x 3 kernel. Only that is learnt and stored; a zero border outside stays a zero border.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override


class PooledConv2d(nn.Conv2d):
    """A 3 x 3 convolution, then the mean of each 2 x 2 pixels: [B, ``inputs``, 2H, 2W] to [B, ``outputs``, H, W].

    Args:
        inputs: channels.
        outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    @override
    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, _shifted_sum(self.weight) / 4, self.bias, stride=2, padding=1)


class UpsampledConv2d(nn.Conv2d):
    """Every pixel repeated in 2 x 2, then a 3 x 3 convolution: [B, ``inputs``, H, W] to [B, ``outputs``, 2H, 2W].

    Args:
        inputs: channels.
        outputs: channels.
        bias: whether there is one.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    @override
    def forward(self, input: Tensor) -> Tensor:
        # A transposed convolution counts its kernel backwards and has the input channels first.
        kernel = _shifted_sum(self.weight).flip(2, 3).transpose(0, 1)
        return F.conv_transpose2d(input, kernel, self.bias, stride=2, padding=1)


def _shifted_sum(weight: Tensor) -> Tensor:
    """Kernels [O, I, 3, 3] to [O, I, 4, 4], at each place the sum of the 2 x 2 weights that meet there.

    Along one axis (a, b, c) becomes (a, a + b, b + c, c).
    """
    wide = F.pad(weight, (0, 1, 0, 0)) + F.pad(weight, (1, 0, 0, 0))
    return F.pad(wide, (0, 0, 0, 1)) + F.pad(wide, (0, 0, 1, 0))

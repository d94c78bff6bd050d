"""Layers that double height and width of a map."""

import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import one_of

UPSAMPLINGS = ("nearest", "bilinear", "transposed")


def doubling(inputs: int, outputs: int, upsampling: str) -> nn.Module:
    """A convolution that doubles height and width, [B, ``inputs``, H, W] to [B, ``outputs``, 2H, 2W], without bias.

    Args:
        inputs: channels.
        outputs: channels.
        upsampling: ``nearest`` or ``bilinear``, a 3 x 3 convolution and then that interpolation: a quarter as many
            products as in the other order; or ``transposed``, a transposed convolution of 4 x 4 (Radford et al. 2016).
    """
    one_of(UPSAMPLINGS, upsampling=upsampling)
    if upsampling == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), Double(upsampling))


class Double(nn.Module):
    """Interpolation to twice the height and width.

    Args:
        mode: ``nearest`` or ``bilinear``.
    """

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    @override
    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(input, scale_factor=2, mode=self.mode)

from torch import nn

from fmcgan.app.checks import one_of

UPSAMPLINGS = ("nearest", "bilinear", "transposed")


def upsampling_layer(inputs: int, outputs: int, upsampling: str) -> nn.Module:
    """Builds a convolution that doubles height and width, [B, ``inputs``, H, W] to [B, ``outputs``, 2H, 2W].

    ``nearest`` and ``bilinear``: a 3 x 3 convolution and then interpolation, with a quarter of the products of the
    reverse order. ``transposed``: a 4 x 4 transposed convolution (Radford et al. 2016).
    """
    one_of(UPSAMPLINGS, upsampling=upsampling)
    if upsampling == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), Double(upsampling))


class Double(nn.Upsample):
    """Interpolates to twice the height and width; ``mode`` is ``nearest`` or ``bilinear``."""

    def __init__(self, mode: str) -> None:
        super().__init__(scale_factor=2, mode=mode)

"""Residual networks without normalisation, after R3GAN (Huang et al. 2024, section 4)."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.conditioning.discriminator.base import ConditionalDiscriminator, DiscriminatorConditioning
from fmcgan.conditioning.generator.base import GeneratorConditioning
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.layer.upsample import Double
from fmcgan.network import base
from fmcgan.network.scales import map_channels, map_sizes

_SLOPE = 0.2  # of the leaky ReLU


class Generator(base.LayeredGenerator):
    """Generates images from a learnt basis at the smallest of `map_sizes` by residual blocks at each of them.

    Between two scales a 1 x 1 convolution changes the channels, then bilinear interpolation the resolution: the reverse
    order gives the same result at four times the cost. A tanh, which the paper lacks, bounds images to [-1, 1].

    Args:
        conditioning: of the label, at the input, since there is no normalisation.
        width: channels at the size of the image; twice as many at half of it, and so on.
        blocks: residual blocks at each scale (paper: 2).
        expansion: channels inside a block as a multiple of those outside (paper: 2).
        group_size: channels in each group of the 3 x 3 convolutions; a divisor of expansion * width.
        spectral_norm: divides each weight matrix by its largest singular value.
        image_size: height and width of an image, a multiple of 4 from 16 to 64.
        channels: of an image.

    Raises:
        InvalidValueError: the conditioning is not at the input, or the groups do not divide the channels.
    """

    def __init__(
        self,
        conditioning: GeneratorConditioning,
        width: int = 32,
        blocks: int = 1,
        expansion: int = 2,
        group_size: int = 16,
        spectral_norm: bool = False,
        image_size: int = 28,
        channels: int = 1,
    ) -> None:
        super().__init__()
        whole_number(channels=channels)
        if not conditioning.at_input:
            raise InvalidValueError(
                "conditioning/generator must be concatenation or embedding_product in network r3, which has no "
                f"normalisation layers, got {type(conditioning).__name__}"
            )
        self.latent_dim, self.num_classes = conditioning.latent_dim, conditioning.num_classes
        stages = _stages(image_size, width, blocks, expansion, group_size, spectral_norm)
        sizes, widths = map_sizes(image_size), map_channels(image_size, width)
        self.conditioning = conditioning
        self.basis = _Basis(conditioning.input_dim, widths[0], sizes[0], equalised=not spectral_norm)
        layers: list[nn.Module] = [stages[0]]
        for stage, (inputs, outputs) in zip(stages[1:], pairwise(widths), strict=True):
            layers += [_convolution(inputs, outputs, 1), Double("bilinear"), stage]
        self.body = nn.Sequential(*layers, _convolution(width, channels, 1), nn.Tanh())
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.conditioning])

    @override
    def first_layer(self, latent: Tensor, labels: Tensor) -> tuple[Tensor]:
        input, _ = self.conditioning.combine(latent, labels)
        return (self.body[0](self.basis(input)),)  # the basis alone is linear in the latent vector

    @override
    def later_layers(self, *hidden: Tensor) -> Tensor:
        (maps,) = hidden
        for layer in list(self.body)[1:]:
            maps = layer(maps)
        return maps


class Discriminator(ConditionalDiscriminator):
    """Maps image and label to a logit by residual blocks at each of `map_sizes`, then a weighted sum of each map.

    Maps are halved by the mean of 2 x 2 pixels, which equals bilinear interpolation to half the size; antialiasing over
    4 x 4 pixels costs more and blurs small images. The 1 x 1 convolution that changes the channels comes afterwards, at
    a quarter of the cost. Arguments are those of `Generator`; every conditioning is allowed, and knows the channels.
    """

    def __init__(
        self,
        conditioning: DiscriminatorConditioning,
        width: int = 32,
        blocks: int = 1,
        expansion: int = 2,
        group_size: int = 16,
        spectral_norm: bool = False,
        image_size: int = 28,
    ) -> None:
        super().__init__(conditioning)
        *stages, stage = _stages(image_size, width, blocks, expansion, group_size, spectral_norm)
        widths = map_channels(image_size, width)
        layers: list[nn.Module] = [_convolution(conditioning.image_channels, width, 1), stage]
        for stage, (inputs, outputs) in zip(reversed(stages), pairwise(reversed(widths)), strict=True):
            layers += [nn.AvgPool2d(2), _convolution(inputs, outputs, 1), stage]
        weighted_sum = _convolution(widths[0], widths[0], map_sizes(image_size)[0], groups=widths[0])
        self.body = nn.Sequential(*layers, weighted_sum, nn.Flatten())
        self.head = conditioning.head(widths[0])
        if spectral_norm:
            normalise_spectrally(self, except_for=self.label_parts)

    @override
    def features(self, input: Tensor) -> Tensor:
        return self.body(input)


class ResidualBlock(nn.Module):
    """x + 1 x 1, leaky ReLU, grouped 3 x 3, leaky ReLU, 1 x 1, with more channels inside than outside.

    Only convolutions before a leaky ReLU have biases. With `zero_start` (not with spectral normalisation, which divides
    by the norm) the last convolution starts at 0, so a block starts as the identity. The initial weights of the other
    two preserve the variance, times Fixup's factor L ** (-1 / (2m - 2)) for L blocks in the network (`depth`) and m = 3
    convolutions in a block (Zhang et al. 2019, section 3.2).
    """

    def __init__(self, channels: int, inner: int, group_size: int, depth: int, zero_start: bool = True) -> None:
        super().__init__()
        gain = nn.init.calculate_gain("leaky_relu", _SLOPE) * depth ** (-1 / 4)
        self.expand = _convolution(channels, inner, 1, bias=True, gain=gain)
        self.mix = _convolution(inner, inner, 3, bias=True, gain=gain, padding=1, groups=inner // group_size)
        self.contract = _convolution(inner, channels, 1, gain=0.0 if zero_start else 1.0)

    @override
    def forward(self, input: Tensor) -> Tensor:
        hidden = F.leaky_relu(self.expand(input), _SLOPE, inplace=True)
        hidden = F.leaky_relu(self.mix(hidden), _SLOPE, inplace=True)
        return input + self.contract(hidden)


class _Basis(nn.Module):
    """Scales a learnt image in each channel by a linear map of the input.

    The map's weights start from N(0, 1), and its output is scaled to preserve the variance (equalised learning rate,
    Karras et al. 2018, section 4.1). Adam moves each weight by about the learning rate: with initial weights of 0.08,
    all but two of 100 latent directions, and most of the diversity, were lost (`docs/study.md`). Spectral normalisation
    would cancel the scale, so `equalised` is then False.
    """

    def __init__(self, inputs: int, channels: int, size: int, equalised: bool) -> None:
        super().__init__()
        self.images = nn.Parameter(torch.randn(size, size, channels))  # channels last
        self.unscaled = nn.Linear(inputs, channels, bias=False)
        self.scale = 1 / math.sqrt(inputs) if equalised else 1.0
        nn.init.normal_(self.unscaled.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Maps [B, inputs] to [B, C, size, size]."""
        brightness = self.scale * self.unscaled(input)
        return (brightness[:, None, None, :] * self.images.to(brightness.dtype)).permute(0, 3, 1, 2)


def _stages(
    image_size: int, width: int, blocks: int, expansion: int, group_size: int, spectral_norm: bool
) -> list[nn.Sequential]:
    """Builds the residual blocks at each of `map_sizes`, the smallest first."""
    whole_number(width=width, blocks=blocks, expansion=expansion, group_size=group_size)
    if expansion * width % group_size:
        raise InvalidValueError(
            "expansion * width must be a multiple of group_size in network r3, "
            f"got {expansion} * {width} and {group_size}"
        )

    widths = map_channels(image_size, width)

    def stage(channels: int) -> nn.Sequential:
        inner, depth = expansion * channels, blocks * len(widths)
        built = (ResidualBlock(channels, inner, group_size, depth, not spectral_norm) for _ in range(blocks))
        return nn.Sequential(*built)

    return [stage(channels) for channels in widths]


def _convolution(
    inputs: int, outputs: int, size: int, *, bias: bool = False, gain: float = 1.0, padding: int = 0, groups: int = 1
) -> nn.Conv2d:
    """Builds a convolution with weights from N(0, gain^2 / fan-in) (He et al. 2015) and biases 0."""
    layer = nn.Conv2d(inputs, outputs, size, padding=padding, groups=groups, bias=bias)
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(inputs // groups * size * size))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer

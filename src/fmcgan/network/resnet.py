"""Residual networks after SNGAN and BigGAN, at 28 x 28.

Weights start orthogonal, with singular values of 1 (Brock et al. 2019, section 3; Saxe et al. 2014), biases at 0.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.discriminator.base import ConditionalDiscriminator, DiscriminatorConditioning
from fmcgan.conditioning.generator.base import GeneratorConditioning
from fmcgan.layer.attention import SelfAttention
from fmcgan.layer.initialise import initialise
from fmcgan.layer.layout import ToMap
from fmcgan.layer.resampled_conv import PooledConv2d, UpsampledConv2d
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.network import base


class Generator(base.Generator):
    """Generates images by residual blocks that double the resolution: 7, 14, 28 (Miyato et al. 2018, B.4).

    Args:
        width: channels, the same at all scales.
        attention: adds self-attention at 14 x 14 (Zhang et al. 2019).
        spectral_norm: divides each weight matrix by its largest singular value.
    """

    def __init__(
        self, conditioning: GeneratorConditioning, width: int = 64, attention: bool = False, spectral_norm: bool = False
    ) -> None:
        super().__init__()
        whole_number(width=width)
        self.latent_dim, self.num_classes = conditioning.latent_dim, conditioning.num_classes
        self.project = nn.Sequential(nn.Linear(conditioning.input_dim, width * 7 * 7), ToMap(width, 7))
        self.to_14, self.to_28 = _UpBlock(width), _UpBlock(width)
        self.attention = SelfAttention(width) if attention else nn.Identity()
        self.to_image = nn.Conv2d(width, 1, 3, padding=1)
        initialise(self, nn.init.orthogonal_)
        self.conditioning = conditioning
        self.normalisations = nn.ModuleList(conditioning.normalisation(width) for _ in range(5))
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.conditioning, self.normalisations])

    @override
    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        input, condition = self.conditioning.combine(latent, labels)
        first, second, third, fourth, last = self.normalisations
        hidden = self.to_14(self.project(input), condition, first, second)  # [B, w, 14, 14]
        hidden = self.to_28(self.attention(hidden), condition, third, fourth)  # [B, w, 28, 28]
        return self.to_image(F.relu(last(hidden, condition), inplace=True)).tanh()


class Discriminator(ConditionalDiscriminator):
    """Maps image and label to a logit by residual blocks: 28, 14, 7, and two at 7 x 7 (Miyato et al. 2018, B.4).

    With spectral normalisation the features are the sums of the last maps, as in the paper. Without it they are the
    means: with sums over 49 pixels, each weight update would change the logit 49 times as much. Args are those of
    `Generator`.
    """

    def __init__(
        self,
        conditioning: DiscriminatorConditioning,
        width: int = 64,
        attention: bool = False,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__(conditioning)
        whole_number(width=width)
        self.body = nn.Sequential(
            _DownBlock(conditioning.image_channels, width, first=True),  # [B, w, 14, 14]
            SelfAttention(width) if attention else nn.Identity(),
            _DownBlock(width, width),  # [B, w, 7, 7]
            _FlatBlock(width),
            _FlatBlock(width),
            nn.ReLU(),
        )
        initialise(self.body, nn.init.orthogonal_)
        self.head = conditioning.head(width)
        self.summed = spectral_norm
        if spectral_norm:
            normalise_spectrally(self, except_for=self.label_parts)

    @override
    def features(self, input: Tensor) -> Tensor:
        maps = self.body(input)
        return maps.sum(dim=(2, 3)) if self.summed else maps.mean(dim=(2, 3))


class _UpBlock(nn.Module):
    """Norm - ReLU - upsample - 3 x 3 - norm - ReLU - 3 x 3, plus 1 x 1 - upsample.

    The shortcut's 1 x 1 convolution comes before the upsampling: the same result at a quarter of the cost.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(width, width, 1)
        self.first = UpsampledConv2d(width, width, bias=False)  # the normalisation that follows would cancel it
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, input: Tensor, condition: Tensor, norm_1: nn.Module, norm_2: nn.Module) -> Tensor:
        branch = self.first(F.relu(norm_1(input, condition), inplace=True))
        branch = self.second(F.relu(norm_2(branch, condition), inplace=True))
        return branch + F.interpolate(self.shortcut(input), scale_factor=2, mode="nearest")


class _DownBlock(nn.Module):
    """ReLU - 3 x 3 - ReLU - 3 x 3 - pool, plus pool - 1 x 1.

    The first block has no ReLU at its input, which would clip the image itself. The shortcut's 1 x 1 convolution comes
    after the pooling: the same result at a quarter of the cost.
    """

    def __init__(self, inputs: int, width: int, first: bool = False) -> None:
        super().__init__()
        self.is_first = first
        self.shortcut = nn.Conv2d(inputs, width, 1)
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.second = PooledConv2d(width, width)

    def forward(self, input: Tensor) -> Tensor:
        hidden = self.first(input if self.is_first else F.relu(input))
        return self.second(F.relu(hidden, inplace=True)) + self.shortcut(F.avg_pool2d(input, 2))


class _FlatBlock(nn.Module):
    """ReLU - 3 x 3 - ReLU - 3 x 3, plus the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        return input + self.second(F.relu(self.first(F.relu(input)), inplace=True))

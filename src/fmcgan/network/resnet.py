"""Residual networks after SNGAN and BigGAN.

Weights start orthogonal, with singular values of 1 (Brock et al. 2019, section 3; Saxe et al. 2014), biases at 0.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.discriminator.base import ConditionalDiscriminator, DiscriminatorConditioning
from fmcgan.conditioning.generator.base import GeneratorConditioning
from fmcgan.layer.attention import SelfAttention
from fmcgan.layer.fused import norm_relu
from fmcgan.layer.initialise import initialise
from fmcgan.layer.layout import ToMap
from fmcgan.layer.resampled_conv import PooledConv2d, UpsampledConv2d
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.network import base
from fmcgan.network.scales import map_sizes


class Generator(base.LayeredGenerator):
    """Generates images by residual blocks that double the resolution, from one of `map_sizes` to the next.

    After Miyato et al. 2018, B.4.

    Args:
        width: channels, the same at all scales.
        attention: adds self-attention at half the size of the image (Zhang et al. 2019).
        spectral_norm: divides each weight matrix by its largest singular value.
        image_size: height and width of an image, a multiple of 4 from 16 to 64.
        channels: of an image.
    """

    def __init__(
        self,
        conditioning: GeneratorConditioning,
        width: int = 64,
        attention: bool = False,
        spectral_norm: bool = False,
        image_size: int = 28,
        channels: int = 1,
    ) -> None:
        super().__init__()
        whole_number(width=width, channels=channels)
        smallest, *doubled = map_sizes(image_size)
        self.latent_dim, self.num_classes = conditioning.latent_dim, conditioning.num_classes
        project = nn.Linear(conditioning.input_dim, width * smallest**2)
        self.project = nn.Sequential(project, ToMap(width, smallest))
        self.doublings = [f"to_{size}" for size in doubled]
        for name in self.doublings:
            self.add_module(name, _UpBlock(width))
        self.attention = SelfAttention(width) if attention else nn.Identity()
        self.to_image = nn.Conv2d(width, channels, 3, padding=1)
        initialise(self, nn.init.orthogonal_)
        self.conditioning = conditioning
        n_norms = 2 * len(doubled) + 1
        self.normalisations = nn.ModuleList(conditioning.normalisation(width) for _ in range(n_norms))
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.conditioning, self.normalisations])

    @override
    def first_layer(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        input, condition = self.conditioning.combine(latent, labels)
        block, norms = self.get_submodule(self.doublings[0]), self.normalisations[:2]
        return block(self.project(input), condition, *norms), condition  # the projection alone is linear

    @override
    def later_layers(self, *hidden: Tensor) -> Tensor:
        maps, condition = hidden
        *norms, last = list(self.normalisations)[2:]
        for name, first, second in zip(self.doublings[1:], norms[::2], norms[1::2], strict=True):
            maps = self.attention(maps) if name == self.doublings[-1] else maps
            maps = self.get_submodule(name)(maps, condition, first, second)
        return self.to_image(norm_relu(last, maps, condition)).tanh()


class Discriminator(ConditionalDiscriminator):
    """Maps image and label to a logit by residual blocks that halve the resolution, and two at the smallest.

    After Miyato et al. 2018, B.4. With spectral normalisation the features are the sums of the last maps, as in the
    paper. Without it they are the means: with sums over n pixels, each weight update would change the logit n times as
    much. Args are those of `Generator`; the conditioning knows the channels.
    """

    def __init__(
        self,
        conditioning: DiscriminatorConditioning,
        width: int = 64,
        attention: bool = False,
        spectral_norm: bool = False,
        image_size: int = 28,
    ) -> None:
        super().__init__(conditioning)
        whole_number(width=width)
        n_halvings = len(map_sizes(image_size)) - 1
        self.body = nn.Sequential(
            _DownBlock(conditioning.image_channels, width, first=True),  # to half the size of the image
            SelfAttention(width) if attention else nn.Identity(),
            *(_DownBlock(width, width) for _ in range(n_halvings - 1)),
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
        branch = self.first(norm_relu(norm_1, input, condition))
        branch = self.second(norm_relu(norm_2, branch, condition))
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

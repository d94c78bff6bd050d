"""Default networks: a class-conditional DCGAN, batch normalisation in G and none in D."""

from functools import partial
from itertools import pairwise

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.discriminator.base import ConditionalDiscriminator, DiscriminatorConditioning
from fmcgan.conditioning.generator.base import GeneratorConditioning
from fmcgan.layer.fused import norm_relu
from fmcgan.layer.initialise import initialise
from fmcgan.layer.layout import ToMap, ToVector
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.layer.upsample import upsampling_layer
from fmcgan.network import base
from fmcgan.network.scales import map_channels, map_sizes

_LAST_SIZE = 4  # the discriminator halves larger maps


class Generator(base.LayeredGenerator):
    """Generates images scale by scale, from the smallest of `map_sizes` to the image (after Radford et al. 2016).

    `upsampling_layer` doubles the size; transposed convolutions, as in the paper, need nearly twice as many products
    (`docs/study.md` compares them in equal time). After interpolation only the last convolution can add detail, unless
    ``refine`` adds another one.

    Args:
        width: channels at the size of the image; twice as many at half of it, and so on.
        upsampling: ``bilinear``, ``nearest`` or ``transposed``.
        refine: adds a 3 x 3 convolution at the size of the image before the last one.
        spectral_norm: divides each weight matrix by its largest singular value.
        image_size: height and width of an image, a multiple of 4 from 16 to 64.
        channels: of an image.
    """

    def __init__(
        self,
        conditioning: GeneratorConditioning,
        width: int = 32,
        upsampling: str = "bilinear",
        refine: bool = False,
        spectral_norm: bool = False,
        image_size: int = 28,
        channels: int = 1,
    ) -> None:
        super().__init__()
        whole_number(width=width, channels=channels)
        (smallest, *doubled), widths = map_sizes(image_size), map_channels(image_size, width)
        self.latent_dim, self.num_classes = conditioning.latent_dim, conditioning.num_classes
        project = nn.Linear(conditioning.input_dim, widths[0] * smallest**2, bias=False)
        self.project = nn.Sequential(project, ToMap(widths[0], smallest))
        self.doublings = [f"to_{size}" for size in doubled]
        for name, (inputs, outputs) in zip(self.doublings, pairwise(widths), strict=True):
            self.add_module(name, upsampling_layer(inputs, outputs, upsampling))
        self.refine = nn.Conv2d(width, width, 3, padding=1, bias=False) if refine else None
        self.to_image = nn.Conv2d(width, channels, 3, padding=1)
        initialise(self, partial(nn.init.normal_, std=0.02))  # Radford et al. 2016, section 4
        self.conditioning = conditioning
        normalised = [*widths, width] if refine else widths
        self.normalisations = nn.ModuleList(conditioning.normalisation(each) for each in normalised)
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.conditioning, self.normalisations])

    @override
    def first_layer(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        input, condition = self.conditioning.combine(latent, labels)
        return norm_relu(self.normalisations[0], self.project(input), condition), condition

    @override
    def later_layers(self, *hidden: Tensor) -> Tensor:
        maps, condition = hidden
        layers = [*map(self.get_submodule, self.doublings)]
        layers += [] if self.refine is None else [self.refine]
        for layer, normalise in zip(layers, list(self.normalisations)[1:], strict=True):
            maps = norm_relu(normalise, maps, condition, after=layer)
        return self.to_image(maps).tanh()


class Discriminator(ConditionalDiscriminator):
    """Maps image and label to a logit by strided convolutions.

    There is no batch normalisation: gradient penalties need samples that do not influence each other. ``width`` is the
    number of channels after the first; each further one halves the size, rounded up, to at most 4, and doubles the
    channels: 28 -> 14 -> 7 -> 4 with w, 2w and 4w. The conditioning knows the channels of an image.
    """

    def __init__(
        self,
        conditioning: DiscriminatorConditioning,
        width: int = 32,
        spectral_norm: bool = False,
        image_size: int = 28,
    ) -> None:
        super().__init__(conditioning)
        whole_number(width=width)
        size = map_sizes(image_size)[-1]
        inputs, outputs = conditioning.image_channels, width
        layers: list[nn.Module] = []
        while size > _LAST_SIZE:
            kernel = 3 if size % 2 else 4
            layers += [nn.Conv2d(inputs, outputs, kernel, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
            size, inputs, outputs = (size + 1) // 2, outputs, 2 * outputs
        self.body = nn.Sequential(*layers, ToVector())
        # He et al. 2015, since the 0.02 of Radford et al. needs normalisation.
        initialise(self.body, partial(nn.init.kaiming_normal_, a=0.2))
        self.head = conditioning.head(inputs * size**2)
        if spectral_norm:
            normalise_spectrally(self, except_for=self.label_parts)

    @override
    def features(self, input: Tensor) -> Tensor:
        return self.body(input)

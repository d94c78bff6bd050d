"""Default networks: a class-conditional DCGAN for 28 x 28 images, batch normalisation in G and none in D."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.discriminator.base import ConditionalDiscriminator, DiscriminatorConditioning
from fmcgan.conditioning.generator.base import GeneratorConditioning
from fmcgan.layer.initialise import initialise
from fmcgan.layer.layout import ToMap, ToVector
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.layer.upsample import upsampling_layer
from fmcgan.network import base


class Generator(base.Generator):
    """Generates images at three scales: 7, 14, 28 (after Radford et al. 2016).

    `upsampling_layer` doubles the size; transposed convolutions, as in the paper, need nearly twice as many products
    (`docs/study.md` compares them in equal time). After interpolation only the last convolution can add detail, unless
    ``refine`` adds another one.

    Args:
        width: channels at 28 x 28; twice and four times as many at 14 x 14 and 7 x 7.
        upsampling: ``bilinear``, ``nearest`` or ``transposed``.
        refine: adds a 3 x 3 convolution at 28 x 28 before the last one.
        spectral_norm: divides each weight matrix by its largest singular value.
    """

    def __init__(
        self,
        conditioning: GeneratorConditioning,
        width: int = 32,
        upsampling: str = "bilinear",
        refine: bool = False,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        whole_number(width=width)
        self.latent_dim, self.num_classes = conditioning.latent_dim, conditioning.num_classes
        project = nn.Linear(conditioning.input_dim, 4 * width * 7 * 7, bias=False)
        self.project = nn.Sequential(project, ToMap(4 * width, 7))
        self.to_14 = upsampling_layer(4 * width, 2 * width, upsampling)
        self.to_28 = upsampling_layer(2 * width, width, upsampling)
        self.refine = nn.Conv2d(width, width, 3, padding=1, bias=False) if refine else None
        self.to_image = nn.Conv2d(width, 1, 3, padding=1)
        initialise(self, partial(nn.init.normal_, std=0.02))  # Radford et al. 2016, section 4
        self.conditioning = conditioning
        multiples = (4, 2, 1, 1) if refine else (4, 2, 1)
        self.normalisations = nn.ModuleList(conditioning.normalisation(each * width) for each in multiples)
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.conditioning, self.normalisations])

    @override
    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        input, condition = self.conditioning.combine(latent, labels)
        at_7, at_14, at_28, *refined = self.normalisations
        hidden = F.relu(at_7(self.project(input), condition), inplace=True)  # [B, 4w, 7, 7]
        hidden = F.relu(at_14(self.to_14(hidden), condition), inplace=True)  # [B, 2w, 14, 14]
        hidden = F.relu(at_28(self.to_28(hidden), condition), inplace=True)  # [B, w, 28, 28]
        if self.refine is not None:
            hidden = F.relu(refined[0](self.refine(hidden), condition), inplace=True)
        return self.to_image(hidden).tanh()


class Discriminator(ConditionalDiscriminator):
    """Maps image and label to a logit by strided convolutions.

    There is no batch normalisation: gradient penalties need samples that do not influence each other. ``width`` is the
    number of channels at 14 x 14; there are twice and four times as many at 7 x 7 and 4 x 4.
    """

    def __init__(self, conditioning: DiscriminatorConditioning, width: int = 32, spectral_norm: bool = False) -> None:
        super().__init__(conditioning)
        whole_number(width=width)
        self.body = nn.Sequential(
            nn.Conv2d(conditioning.image_channels, width, 4, stride=2, padding=1),  # [B, w, 14, 14]
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # [B, 2w, 7, 7]
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),  # [B, 4w, 4, 4]
            nn.LeakyReLU(0.2, inplace=True),
            ToVector(),
        )
        # He et al. 2015, since the 0.02 of Radford et al. needs normalisation.
        initialise(self.body, partial(nn.init.kaiming_normal_, a=0.2))
        self.head = conditioning.head(4 * width * 4 * 4)
        if spectral_norm:
            normalise_spectrally(self, except_for=self.label_parts)

    @override
    def features(self, input: Tensor) -> Tensor:
        return self.body(input)

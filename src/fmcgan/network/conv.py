"""Recipe A: label planes in generator and discriminator, convolutions without normalisation.

Initialised as by the recipe's framework: Glorot & Bengio 2010 (uniform), zero biases, small uniform embeddings.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import number, whole_number
from fmcgan.conditioning.discriminator.label_map import label_plane
from fmcgan.layer.initialise import initialise
from fmcgan.layer.layout import ToMap, ToVector
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.network import base
from fmcgan.network.scales import map_sizes

_HALVINGS = ("first", "second", "third")  # names of the strided convolutions of the discriminator


class Generator(base.LayeredGenerator):
    """Joins latent vector and label plane at the smallest of `map_sizes`; transposed convolutions double the size.

    Args:
        width: channels of every hidden layer (256 in the recipe).
        embedding_dim: size of the label's embedding (half of Z in the recipe).
        spectral_norm: divides each weight matrix by its largest singular value, except in the label plane.
        image_size: height and width of an image, a multiple of 4 from 16 to 64.
        channels: of an image.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        width: int = 256,
        embedding_dim: int = 50,
        num_classes: int = 10,
        spectral_norm: bool = False,
        image_size: int = 28,
        channels: int = 1,
    ) -> None:
        super().__init__()
        whole_number(latent_dim=latent_dim, width=width, embedding_dim=embedding_dim, num_classes=num_classes)
        whole_number(channels=channels)
        smallest, *doubled = map_sizes(image_size)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.label_plane = label_plane(num_classes, embedding_dim, smallest)
        project = nn.Linear(latent_dim, width * smallest**2)
        self.project = nn.Sequential(project, nn.LeakyReLU(0.2, inplace=True), ToMap(width, smallest))
        layers: list[nn.Module] = []
        for inputs in (width + 1, *[width] * (len(doubled) - 1)):  # the label plane is the further channel
            layers += [nn.ConvTranspose2d(inputs, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        self.upsample = nn.Sequential(*layers, nn.Conv2d(width, channels, 7, padding=3), nn.Tanh())
        _initialise(self)
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.label_plane])

    @override
    def first_layer(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return self.project(latent), self.label_plane(labels)

    @override
    def later_layers(self, *hidden: Tensor) -> Tensor:
        return self.upsample(torch.cat(hidden, dim=1))


class Discriminator(base.Discriminator):
    """Joins image and label plane; strided convolutions halve the size, dropout and a linear layer follow.

    Recipe A had a sigmoid at the end, also with the Wasserstein loss. ``dropout`` is the probability of dropping a
    feature before the linear layer; the other arguments are those of `Generator`.
    """

    def __init__(
        self,
        width: int = 256,
        embedding_dim: int = 50,
        dropout: float = 0.45,
        num_classes: int = 10,
        spectral_norm: bool = False,
        image_size: int = 28,
        channels: int = 1,
    ) -> None:
        super().__init__()
        whole_number(width=width, embedding_dim=embedding_dim, num_classes=num_classes, channels=channels)
        number(0, 0.99, dropout=dropout)  # 1 would drop everything
        self.num_classes = num_classes
        smallest, *doubled = map_sizes(image_size)
        self.label_plane = label_plane(num_classes, embedding_dim, image_size)
        self.halvings = _HALVINGS[: len(doubled)]
        for name in self.halvings:
            inputs = channels + 1 if name == _HALVINGS[0] else width
            self.add_module(name, nn.Conv2d(inputs, width, 3, stride=2, padding=1))
        self.to_vector = ToVector()
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(width * smallest**2, 1)
        _initialise(self)
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.label_plane])

    @override
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        hidden = torch.cat([images, self.label_plane(labels)], dim=1)
        for name in self.halvings:
            hidden = F.leaky_relu(self.get_submodule(name)(hidden), 0.2, inplace=True)
        return self.logit(self.dropout(self.to_vector(hidden))).squeeze(1).float()


def _initialise(network: Generator | Discriminator) -> None:
    for module in network.label_plane:
        if isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -0.05, 0.05)
    initialise(network, nn.init.xavier_uniform_)

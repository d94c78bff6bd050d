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


class Generator(base.Generator):
    """Joins latent vector and label plane at 7 x 7; two transposed convolutions and a 7 x 7 convolution follow.

    Args:
        width: channels of every hidden layer (256 in the recipe).
        embedding_dim: size of the label's embedding (half of Z in the recipe).
        spectral_norm: divides each weight matrix by its largest singular value, except in the label plane.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        width: int = 256,
        embedding_dim: int = 50,
        num_classes: int = 10,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        whole_number(latent_dim=latent_dim, width=width, embedding_dim=embedding_dim, num_classes=num_classes)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.label_plane = label_plane(num_classes, embedding_dim, 7)
        self.project = nn.Sequential(
            nn.Linear(latent_dim, width * 7 * 7), nn.LeakyReLU(0.2, inplace=True), ToMap(width, 7)
        )
        self.upsample = nn.Sequential(
            nn.ConvTranspose2d(width + 1, width, 4, stride=2, padding=1),  # [B, w, 14, 14]
            nn.LeakyReLU(0.2, inplace=True),
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1),  # [B, w, 28, 28]
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 1, 7, padding=3),
            nn.Tanh(),
        )
        _initialise(self)
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.label_plane])

    @override
    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return self.upsample(torch.cat([self.project(latent), self.label_plane(labels)], dim=1))


class Discriminator(base.Discriminator):
    """Joins image and label plane at 28 x 28; two strided convolutions, dropout and a linear layer follow.

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
    ) -> None:
        super().__init__()
        whole_number(width=width, embedding_dim=embedding_dim, num_classes=num_classes)
        number(0, 0.99, dropout=dropout)  # 1 would drop everything
        self.label_plane = label_plane(num_classes, embedding_dim, 28)
        self.first = nn.Conv2d(2, width, 3, stride=2, padding=1)
        self.second = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.to_vector = ToVector()
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(width * 7 * 7, 1)
        _initialise(self)
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.label_plane])

    @override
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        hidden = self.first(torch.cat([images, self.label_plane(labels)], dim=1))  # [B, w, 14, 14]
        hidden = self.second(F.leaky_relu(hidden, 0.2, inplace=True))  # [B, w, 7, 7]
        hidden = self.to_vector(F.leaky_relu(hidden, 0.2, inplace=True))
        return self.logit(self.dropout(hidden)).squeeze(1).float()


def _initialise(network: Generator | Discriminator) -> None:
    for module in network.label_plane:
        if isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -0.05, 0.05)
    initialise(network, nn.init.xavier_uniform_)

"""Recipe B: two multilayer perceptrons; the label's embedding is concatenated with their input.

The initialisation is torch's default (He et al. 2015, uniform), as in the recipe.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.layer.batch_norm import BatchNorm1d
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.network import base


class Generator(base.LayeredGenerator):
    """Four hidden layers that double in size, batch normalisation in all but the first, tanh at the end.

    Args:
        width: size of the last hidden layer (1024 in the recipe); a multiple of 8.
        embedding_dim: size of the label's embedding.
        spectral_norm: divides each weight matrix by its largest singular value, except the label's embedding.
        image_size: height and width of an image.
        channels: of an image.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        width: int = 1024,
        embedding_dim: int = 10,
        num_classes: int = 10,
        spectral_norm: bool = False,
        image_size: int = 28,
        channels: int = 1,
    ) -> None:
        super().__init__()
        whole_number(latent_dim=latent_dim, embedding_dim=embedding_dim, num_classes=num_classes)
        whole_number(image_size=image_size, channels=channels)
        sizes = _layer_sizes(width)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        layers: list[nn.Module] = [nn.Linear(latent_dim + embedding_dim, sizes[0]), nn.LeakyReLU(0.2, inplace=True)]
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), BatchNorm1d(outputs), nn.LeakyReLU(0.2, inplace=True)]
        shape = channels, image_size, image_size
        self.layers = nn.Sequential(*layers, nn.Linear(width, math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape))
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.embedding])

    @override
    def first_layer(self, latent: Tensor, labels: Tensor) -> tuple[Tensor]:
        linear, activation, *_ = self.layers
        return (activation(linear(torch.cat([latent, self.embedding(labels)], dim=1))),)

    @override
    def later_layers(self, *hidden: Tensor) -> Tensor:
        (features,) = hidden
        for layer in list(self.layers)[2:]:
            features = layer(features)
        return features


class Discriminator(base.Discriminator):
    """Four hidden layers that halve in size, each dropping hidden units with probability ``dropout``.

    The other arguments are those of `Generator`; ``width`` is the size of the first hidden layer.
    """

    def __init__(
        self,
        width: int = 1024,
        embedding_dim: int = 10,
        dropout: float = 0.4,
        num_classes: int = 10,
        spectral_norm: bool = False,
        image_size: int = 28,
        channels: int = 1,
    ) -> None:
        super().__init__()
        whole_number(embedding_dim=embedding_dim, num_classes=num_classes)
        whole_number(image_size=image_size, channels=channels)
        number(0, 0.99, dropout=dropout)  # 1 would drop everything
        self.num_classes = num_classes
        sizes = [channels * image_size**2 + embedding_dim, *reversed(_layer_sizes(width))]
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))
        if spectral_norm:
            normalise_spectrally(self, except_for=[self.embedding])

    @override
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.layers(torch.cat([images.flatten(1), self.embedding(labels)], dim=1)).squeeze(1).float()


def _layer_sizes(width: int) -> list[int]:
    whole_number(minimum=8, width=width)
    if width % 8:
        raise InvalidValueError(f"width must be a multiple of 8 for the mlp networks, got {width}", "width")
    return [width // 8, width // 4, width // 2, width]

import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.generator.base import GeneratorConditioning


class Concatenation(GeneratorConditioning):
    """The first layer receives [z, e(y)] (Mirza & Osindero 2014, section 3.2).

    The embedding is initialised from N(0, 1), the distribution of the latent vector.
    """

    def __init__(self, latent_dim: int = 100, embedding_dim: int = 50, num_classes: int = 10) -> None:
        super().__init__(latent_dim, num_classes)
        whole_number(embedding_dim=embedding_dim)
        self.embedding = nn.Embedding(num_classes, embedding_dim)

    @property
    @override
    def input_dim(self) -> int:
        return self.latent_dim + self.embedding.embedding_dim

    @override
    def combine(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([latent, self.embedding(labels)], dim=1), labels

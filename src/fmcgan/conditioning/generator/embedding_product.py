from torch import Tensor, nn
from typing_extensions import override

from fmcgan.conditioning.generator.base import GeneratorConditioning


class EmbeddingProduct(GeneratorConditioning):
    """The first layer receives the elementwise product z * e(y), as in most AC-GAN code.

    The class sets scale and sign of each latent dimension; z = 0 gives the same image for all classes.
    """

    def __init__(self, latent_dim: int = 100, num_classes: int = 10) -> None:
        super().__init__(latent_dim, num_classes)
        self.embedding = nn.Embedding(num_classes, latent_dim)

    @override
    def combine(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return latent * self.embedding(labels), labels

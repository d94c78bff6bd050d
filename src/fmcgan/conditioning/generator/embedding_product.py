"""The latent vector, scaled in each dimension by the label."""

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.conditioning.generator.base import GeneratorConditioning


class EmbeddingProduct(GeneratorConditioning):
    """The first layer receives z * e(y), element by element: how most code for AC-GAN tells the class.

    The class decides how loud each latent dimension is and which way it points; at z = 0 all classes are alike.

    Args:
        latent_dim: Z, size of the latent vector and of the embedding.
        num_classes: number of labels.
    """

    def __init__(self, latent_dim: int = 100, num_classes: int = 10) -> None:
        super().__init__(latent_dim, num_classes)
        self.embedding = nn.Embedding(num_classes, latent_dim)

    @override
    def enter(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return latent * self.embedding(labels), labels

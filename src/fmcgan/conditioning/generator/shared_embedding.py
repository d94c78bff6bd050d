import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.generator.base import GeneratorConditioning
from fmcgan.layer.batch_norm import BatchNorm2d, ConditionalNorm


class SharedEmbedding(GeneratorConditioning):
    """One embedding for all layers, concatenated with the latent vector (BigGAN: Brock et al. 2019, section 3).

    The first layer receives the latent vector; each normalisation layer computes its gain and bias from [z, e(y)], with
    the whole latent vector (as in BigGAN-deep, appendix B) instead of a slice of it.
    """

    at_input = False

    def __init__(self, latent_dim: int = 100, embedding_dim: int = 50, num_classes: int = 10) -> None:
        super().__init__(latent_dim, num_classes)
        whole_number(embedding_dim=embedding_dim)
        self.embedding = nn.Embedding(num_classes, embedding_dim)

    @override
    def combine(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return latent, torch.cat([latent, self.embedding(labels)], dim=1)

    @override
    def normalisation(self, channels: int) -> nn.Module:
        return ModulatedBatchNorm(channels, self.latent_dim + self.embedding.embedding_dim)


class ModulatedBatchNorm(ConditionalNorm):
    """(1 + A c) * (x - mean) / deviation + B c, with the sample's condition c and learnt matrices A and B."""

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(condition_dim, channels, bias=False)
        self.bias = nn.Linear(condition_dim, channels, bias=False)
        for linear in (self.gain, self.bias):
            nn.init.normal_(linear.weight, 0.0, 0.02)

    @override
    def gain_and_bias(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        return 1 + self.gain(condition), self.bias(condition)

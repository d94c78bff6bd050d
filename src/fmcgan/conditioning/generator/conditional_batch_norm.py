from torch import Tensor, nn
from typing_extensions import override

from fmcgan.conditioning.generator.base import GeneratorConditioning
from fmcgan.layer.batch_norm import BatchNorm2d, ConditionalNorm


class ConditionalBatchNorm(GeneratorConditioning):
    """A gain and a bias for each class and channel (Dumoulin et al. 2017, section 2; Miyato & Koyama 2018, section 5).

    The first layer receives the latent vector only.
    """

    at_input = False

    @override
    def combine(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return latent, labels

    @override
    def normalisation(self, channels: int) -> nn.Module:
        return LabelledBatchNorm(channels, self.num_classes)


class LabelledBatchNorm(ConditionalNorm):
    """gain[y] * (x - mean) / deviation + bias[y], with mean and deviation of the whole batch."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(num_classes, channels)
        self.bias = nn.Embedding(num_classes, channels)
        nn.init.normal_(self.gain.weight, 1.0, 0.02)
        nn.init.zeros_(self.bias.weight)

    @override
    def gain_and_bias(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.gain(condition), self.bias(condition)

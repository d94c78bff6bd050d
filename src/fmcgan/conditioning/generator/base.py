from abc import ABC, abstractmethod

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.layer.batch_norm import BatchNorm2d, ConditionalNorm


class GeneratorConditioning(nn.Module, ABC):
    """Conditions the generator on the label: at its input, in its normalisation layers, or in both.

    A network calls `combine` once and passes the first result to its first layer, the second to every layer that
    `normalisation` built. A new conditioning is one file with one subclass and one yaml.
    """

    at_input: bool = True
    """Whether the input of the first layer depends on the label, as networks without normalisation need."""

    def __init__(self, latent_dim: int = 100, num_classes: int = 10) -> None:
        super().__init__()
        whole_number(latent_dim=latent_dim, num_classes=num_classes)
        self.latent_dim, self.num_classes = latent_dim, num_classes

    @property
    def input_dim(self) -> int:
        """Input size of the first layer."""
        return self.latent_dim

    @abstractmethod
    def combine(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Maps standard normal vectors [B, Z] and labels int64 [B] to the input of the first layer and a condition.

        The input is [B, `input_dim`]. The condition is passed to the normalisation layers.
        """

    def normalisation(self, channels: int) -> nn.Module:
        """Builds a normalisation layer: (features [B, C, H, W], condition) -> same shape."""
        return UnconditionalBatchNorm(channels)


class UnconditionalBatchNorm(ConditionalNorm):
    """Batch normalisation that ignores the condition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels)
        nn.init.normal_(self.norm.weight, 1.0, 0.02)  # as in the code of Radford et al. 2016

    @override
    def gain_and_bias(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.norm.weight, self.norm.bias

    @override
    def forward(self, input: Tensor, condition: Tensor) -> Tensor:
        return self.norm(input)

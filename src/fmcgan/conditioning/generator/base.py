"""What a generator asks of every way to tell it the class."""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.layer.batch_norm import BatchNorm2d


class GeneratorConditioning(nn.Module, ABC):
    """Where the label enters the generator: at its input, in its normalisation layers, or in both.

    A network calls `enter` once, hands the first result to its first layer, and the second to every layer that
    `normalisation` made for it. A new way is one file with one subclass and one yaml.

    Args:
        latent_dim: Z, size of the latent vector.
        num_classes: number of labels.
    """

    at_input: bool = True
    """Whether what `enter` hands to the first layer depends on the label; networks without normalisation need that."""

    def __init__(self, latent_dim: int = 100, num_classes: int = 10) -> None:
        super().__init__()
        whole_number(latent_dim=latent_dim, num_classes=num_classes)
        self.latent_dim = latent_dim
        self.num_classes = num_classes

    @property
    def input_dim(self) -> int:
        """Size of what the first layer receives."""
        return self.latent_dim

    @abstractmethod
    def enter(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Prepares latent vector and label.

        Args:
            latent: [B, Z], standard normal.
            labels: int64 [B].

        Returns:
            What the first layer receives, [B, `input_dim`], and what the normalisation layers receive.
        """

    def normalisation(self, channels: int) -> nn.Module:
        """A layer (features [B, C, H, W], condition) -> the same shape, in place of batch normalisation."""
        return UnconditionalBatchNorm(channels)


class UnconditionalBatchNorm(nn.Module):
    """Batch normalisation that has nothing to do with the label.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels)
        nn.init.normal_(self.norm.weight, 1.0, 0.02)  # Radford et al. 2016, its code

    @override
    def forward(self, input: Tensor, condition: Tensor) -> Tensor:
        return self.norm(input)

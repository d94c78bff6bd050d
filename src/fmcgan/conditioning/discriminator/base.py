from abc import ABC, abstractmethod

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.network.base import Discriminator, DiscriminatorOutput


class DiscriminatorConditioning(nn.Module, ABC):
    """Conditions the discriminator on the label, at its input or head. A new one is one file, one class, one yaml."""

    def __init__(self, num_classes: int = 10, channels: int = 1) -> None:
        super().__init__()
        whole_number(num_classes=num_classes, channels=channels)
        self.num_classes, self.channels = num_classes, channels

    @property
    def image_channels(self) -> int:
        """Channels of the result of `combine`."""
        return self.channels

    def combine(self, images: Tensor, labels: Tensor) -> Tensor:
        """Maps images [B, C, H, W] in [-1, 1] and labels int64 [B] to [B, `image_channels`, H, W]."""
        return images

    @abstractmethod
    def head(self, features: int) -> nn.Module:
        """Builds the last layer for F features: (features [B, F], labels [B]) -> `DiscriminatorOutput`."""


class ConditionalDiscriminator(Discriminator):
    """A discriminator with a conditioning. Subclasses set `head` to ``conditioning.head(F)`` and define `features`."""

    head: nn.Module

    def __init__(self, conditioning: DiscriminatorConditioning) -> None:
        super().__init__()
        self.conditioning = conditioning
        self.num_classes = conditioning.num_classes

    @property
    def label_parts(self) -> list[nn.Module]:
        """Modules whose only input is the label, which spectral normalisation excludes."""
        return [self.conditioning, *getattr(self.head, "label_parts", ())]

    @abstractmethod
    def features(self, input: Tensor) -> Tensor:
        """Extracts features [B, F] from the input [B, `image_channels`, H, W]."""

    def logits_and_auxiliary(self, images: Tensor, labels: Tensor) -> DiscriminatorOutput:
        """Computes logits and, if any, the auxiliary loss; arguments are those of `forward`."""
        return self.head(self.features(self.conditioning.combine(images, labels)), labels)

    @override
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.logits_and_auxiliary(images, labels).logits

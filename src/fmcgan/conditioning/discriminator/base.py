"""Base classes of class-conditional discriminators and of their conditioning."""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.network.base import Discriminator, Judgement


class DiscriminatorConditioning(nn.Module, ABC):
    """Where the label enters the discriminator: beside the image, or at the logit.

    A new conditioning is one file with one subclass and one yaml.

    Args:
        num_classes: number of labels.
    """

    image_channels: int = 1
    """Channels of the result of `see`."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        whole_number(num_classes=num_classes)
        self.num_classes = num_classes

    def see(self, images: Tensor, labels: Tensor) -> Tensor:
        """Returns the input of the first convolution, [B, `image_channels`, 28, 28].

        Args:
            images: [B, 1, 28, 28] in [-1, 1].
            labels: int64 [B].
        """
        return images

    @abstractmethod
    def head(self, features: int) -> nn.Module:
        """Builds the last layer, a module (features [B, F], labels [B]) -> `Judgement`.

        Args:
            features: F.
        """


class ConditionalDiscriminator(Discriminator):
    """A discriminator made of a conditioning and a body that extracts features.

    Subclasses set `head` to ``conditioning.head(F)`` and define `features`.

    Args:
        conditioning: how the label enters.
    """

    def __init__(self, conditioning: DiscriminatorConditioning) -> None:
        super().__init__()
        self.conditioning = conditioning
        self.head: nn.Module

    @property
    def label_parts(self) -> list[nn.Module]:
        """Modules that only see the label, which spectral normalisation leaves unchanged."""
        return [self.conditioning, *getattr(self.head, "label_parts", ())]

    @abstractmethod
    def features(self, seen: Tensor) -> Tensor:
        """Extracts features [B, F] from the input [B, `image_channels`, 28, 28]."""

    def judge(self, images: Tensor, labels: Tensor) -> Judgement:
        """Computes logits and, if the conditioning has one, the auxiliary loss; arguments are those of `forward`."""
        return self.head(self.features(self.conditioning.see(images, labels)), labels)

    @override
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.judge(images, labels).logits

"""What a discriminator asks of every way to be told the class."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number


class Judgement(NamedTuple):
    """What a discriminator says of a batch: logits [B], and the auxiliary loss of each sample [B] if it has one."""

    logits: Tensor
    auxiliary: Tensor | None = None


class DiscriminatorConditioning(nn.Module, ABC):
    """Where the label enters the discriminator: beside the image, or where the logit is made.

    A new way is one file with one subclass and one yaml.

    Args:
        num_classes: number of labels.
    """

    image_channels: int = 1
    """Channels of what `see` returns."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        whole_number(num_classes=num_classes)
        self.num_classes = num_classes

    def see(self, images: Tensor, labels: Tensor) -> Tensor:
        """What the first convolution receives.

        Args:
            images: [B, 1, 28, 28] in [-1, 1].
            labels: int64 [B].

        Returns:
            [B, `image_channels`, 28, 28].
        """
        return images

    @abstractmethod
    def head(self, features: int) -> nn.Module:
        """The last layer, a module (features [B, F], labels [B]) -> `Judgement`.

        Args:
            features: F.
        """


class ConditionalDiscriminator(nn.Module, ABC):
    """A discriminator made of a way to be told the class and a body that turns what it sees into features.

    Subclasses set `head` to ``conditioning.head(F)`` and define `features`.

    Args:
        conditioning: a `DiscriminatorConditioning`.
    """

    def __init__(self, conditioning: DiscriminatorConditioning) -> None:
        super().__init__()
        self.conditioning = conditioning
        self.head: nn.Module

    @property
    def label_parts(self) -> list[nn.Module]:
        """What the label alone passes through, which spectral normalisation leaves as it is."""
        return [self.conditioning, *getattr(self.head, "label_parts", ())]

    @abstractmethod
    def features(self, seen: Tensor) -> Tensor:
        """Turns what is seen, [B, `image_channels`, 28, 28], into features [B, F]."""

    def judge(self, images: Tensor, labels: Tensor) -> Judgement:
        """Judges images, with all the discriminator has to say.

        Args:
            images: [B, 1, 28, 28] in [-1, 1].
            labels: int64 [B].

        Returns:
            Logits, float32 [B], positive means real; and the auxiliary loss if there is one.
        """
        return self.head(self.features(self.conditioning.see(images, labels)), labels)

    @override
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Judges images; see `judge`.

        Returns:
            Logits, float32 [B]: positive means real.
        """
        return self.judge(images, labels).logits

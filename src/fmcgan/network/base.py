"""Base classes of generators and discriminators."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class DiscriminatorOutput(NamedTuple):
    """Logits [B] and, if any, the auxiliary loss of each sample [B]."""

    logits: Tensor
    auxiliary: Tensor | None = None


class Generator(nn.Module, ABC):
    """Maps latent vectors and labels to images.

    A network from outside the project need not inherit from this class: `latent_dim` and the call are enough.
    """

    latent_dim: int
    """Z, size of the latent vector."""
    num_classes: int
    """Number of labels."""

    @abstractmethod
    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Generates images.

        Args:
            latent: [B, Z], standard normal.
            labels: int64 [B].

        Returns:
            [B, 1, 28, 28] in [-1, 1].
        """


class Discriminator(nn.Module, ABC):
    """Maps images and labels to logits.

    A network from outside the project need not inherit from this class: the call is enough. One with an auxiliary loss
    also has ``logits_and_auxiliary(images, labels) -> DiscriminatorOutput``.
    """

    @abstractmethod
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Computes one logit for each image.

        Args:
            images: [B, 1, 28, 28] in [-1, 1].
            labels: int64 [B].

        Returns:
            Logits, float32 [B]; positive means real.
        """

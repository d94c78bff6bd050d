"""Base classes of generators and discriminators, which a network of a user's own package need not inherit from."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class DiscriminatorOutput(NamedTuple):
    """Logits [B] and, if any, the auxiliary loss of each sample [B]."""

    logits: Tensor
    auxiliary: Tensor | None = None


class Generator(nn.Module, ABC):
    """Maps latent vectors and labels to images. A user's own network needs only `latent_dim` and the call."""

    latent_dim: int
    """Z, size of the latent vector."""
    num_classes: int
    """Number of labels."""

    @abstractmethod
    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Maps standard normal vectors [B, Z] and labels int64 [B] to images [B, C, H, W] in [-1, 1]."""


class Discriminator(nn.Module, ABC):
    """Maps images and labels to logits. A user's own network needs only the call.

    One with an auxiliary loss also has ``logits_and_auxiliary(images, labels) -> DiscriminatorOutput``.
    """

    num_classes: int
    """Number of labels."""

    @abstractmethod
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Maps images [B, C, H, W] in [-1, 1] and labels int64 [B] to logits, float32 [B]; positive means real."""

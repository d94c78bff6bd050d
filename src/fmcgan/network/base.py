"""Base classes of generators and discriminators, which a network of a user's own package need not inherit from."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn
from typing_extensions import override


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


class LayeredGenerator(Generator):
    """A generator in two steps, between which samples can be drawn towards the mean of their class (truncation)."""

    @abstractmethod
    def first_layer(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """Returns all that the later layers receive, each [B, ...]: activations, not linear in z, and conditions."""

    @abstractmethod
    def later_layers(self, *hidden: Tensor) -> Tensor:
        """Maps the results of `first_layer` to images."""

    @override
    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return self.later_layers(*self.first_layer(latent, labels))


class Discriminator(nn.Module, ABC):
    """Maps images and labels to logits. A user's own network needs only the call.

    One with an auxiliary loss also has ``logits_and_auxiliary(images, labels) -> DiscriminatorOutput``.
    """

    num_classes: int
    """Number of labels."""

    @abstractmethod
    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Maps images [B, C, H, W] in [-1, 1] and labels int64 [B] to logits, float32 [B]; positive means real."""

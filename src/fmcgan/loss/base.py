from abc import ABC, abstractmethod

from torch import Tensor, nn


class AdversarialLoss(ABC):
    """Objectives of discriminator and generator as functions of the discriminator's logits.

    Logits are raw scores (no sigmoid): positive means real for a discriminator, larger means more real for a critic.
    A new loss is one file with one subclass and one yaml.
    """

    generator_needs_real: bool = False
    """Whether `generator` uses the logits of real images (relativistic losses); if not, the step passes ``None``."""
    has_decision_boundary: bool = True
    """Whether a positive logit means "real"; ``False`` for critics, whose logits have an arbitrary offset."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Computes the discriminator's loss, a scalar, from the logits [B] of real and of generated images."""

    @abstractmethod
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Computes the generator's loss, a scalar, from logits [B]; ``real`` is None unless `generator_needs_real`."""

    def check_discriminator(self, discriminator: nn.Module, penalized: bool) -> None:  # noqa: B027 (most take any)
        """Raises an `InvalidValueError` if this loss cannot train a discriminator, with or without a penalty."""

    def constrain(self, discriminator: nn.Module) -> None:  # noqa: B027 (most losses constrain nothing)
        """Constrains the discriminator's weights after each of its updates (weight clipping)."""


def check_logits(*logits: Tensor) -> None:
    """Raises `ValueError` unless all logits have one shape [B]: [B] and [B, 1] would silently broadcast to [B, B]."""
    shapes = {tuple(each.shape) for each in logits}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"logits must all have the same shape [B], got {', '.join(map(str, sorted(shapes)))}")

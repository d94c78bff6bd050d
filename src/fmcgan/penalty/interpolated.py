"""The gradient penalty of WGAN-GP."""

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.checks import number
from fmcgan.penalty.base import Penalty, input_gradient


class InterpolatedGradientPenalty(Penalty):
    """Holds the critic's gradient norm at 1 between real and generated images (Gulrajani et al. 2017, eq. 3).

    weight * E[(||grad_x D(x, y)||_2 - 1)^2],  x = epsilon * real + (1 - epsilon) * fake, one epsilon for each sample.

    Args:
        weight: lambda; the paper uses 10.
        interval: measured at every ``interval``-th update, as many times as heavy.
    """

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        super().__init__(interval)
        number(minimum=0, weight=weight)
        self.weight = weight

    @override
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        between = fake + epsilon * (real - fake)
        norm = input_gradient(discriminator, between, labels).norm(dim=1)
        return self.weight * (norm - 1).square().mean()

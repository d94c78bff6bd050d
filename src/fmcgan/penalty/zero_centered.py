"""The zero-centred gradient penalty on real images (R1)."""

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.checks import number
from fmcgan.penalty.base import Penalty, input_gradient


class ZeroCenteredGradientPenalty(Penalty):
    """Flattens the discriminator around real images: R1 (Mescheder et al. 2018, eq. 9).

    weight / 2 * E[||grad_x D(x, y)||_2^2] over real x.

    Args:
        weight: gamma.
        interval: measured at every ``interval``-th update, as many times as heavy.
    """

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__(interval)
        number(minimum=0, weight=weight)
        self.weight = weight

    @override
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        return 0.5 * self.weight * input_gradient(discriminator, real, labels).square().sum(dim=1).mean()

"""The zero-centred gradient penalty on real images (R1), generated images (R2) or both."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import number, one_of
from fmcgan.penalty.base import Penalty, input_gradient


class ZeroCenteredGradientPenalty(Penalty):
    """Flattens the discriminator around images: R1 (Mescheder et al. 2018, eq. 9) and R2 (eq. 10).

    * R1 = weight / 2 * E[||grad_x D(x, y)||_2^2] over real x
    * R2 = the same over generated x
    * both: R1 + R2 (Huang et al. 2024, R3GAN)

    Args:
        weight: gamma.
        interval: computed at every ``interval``-th update and multiplied by ``interval`` there.
        images: ``real``, ``fake`` or ``both``.
    """

    def __init__(self, weight: float = 1.0, interval: int = 1, images: str = "real") -> None:
        super().__init__(interval)
        number(minimum=0, weight=weight)
        one_of(("real", "fake", "both"), images=images)
        self.weight = weight
        self.images = images

    @override
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        if self.images != "both":
            images = real if self.images == "real" else fake
            return 0.5 * self.weight * _mean_squared_norm(discriminator, images, labels)
        # One forward pass for both halves; the mean runs over twice as many images, so twice the mean is the sum.
        images, twice = torch.cat([real, fake]), torch.cat([labels, labels])
        return self.weight * _mean_squared_norm(discriminator, images, twice)


def _mean_squared_norm(discriminator: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return input_gradient(discriminator, images, labels).square().sum(dim=1).mean()

import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import one_of
from fmcgan.penalty.base import Penalty, input_gradient


class ZeroCenteredGradientPenalty(Penalty):
    """Pulls the discriminator's gradient norm towards 0 at images: R1 (Mescheder et al. 2018, eq. 9), R2 (eq. 10).

    * R1 = weight / 2 * E[||grad_x D(x, y)||_2^2] over real x
    * R2 = weight / 2 * E[||grad_x D(x, y)||_2^2] over generated x
    * both: R1 + R2 (Huang et al. 2024, R3GAN)

    `weight` is gamma; `images` is ``real`` (R1), ``fake`` (R2) or ``both``.
    """

    def __init__(self, weight: float = 1.0, interval: int = 1, images: str = "real") -> None:
        super().__init__(interval, weight)
        one_of(("real", "fake", "both"), images=images)
        self.images = images

    @override
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        if self.images == "both":  # one forward pass; the mean over twice as many images is half of R1 + R2
            images, labels, factor = torch.cat([real, fake]), torch.cat([labels, labels]), self.weight
        else:
            images = real if self.images == "real" else fake
            factor = 0.5 * self.weight
        return factor * input_gradient(discriminator, images, labels).square().sum(dim=1).mean()

import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.penalty.base import Penalty, input_gradient


class InterpolatedGradientPenalty(Penalty):
    """Pulls the critic's gradient norm towards 1 between real and generated images (Gulrajani et al. 2017, eq. 3).

    * WGAN_GP = weight * E[(||grad_x D(x, y)||_2 - 1)^2],  x = epsilon * real + (1 - epsilon) * fake
    * WGAN_LP = weight * E[max(0, ||grad_x D(x, y)||_2 - 1)^2],  x = epsilon * real + (1 - epsilon) * fake

    WGAN_LP is ``one_sided`` (Petzka et al. 2018). One epsilon for each sample. The norm of the optimal critic is at
    most 1, not 1 everywhere, which speaks for one side. Section 4 of the WGAN-GP paper prefers two sides, and a weight
    of 10.
    """

    def __init__(self, weight: float = 10.0, interval: int = 1, one_sided: bool = False) -> None:
        super().__init__(interval, weight)
        self.one_sided = one_sided

    @override
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        between = fake + epsilon * (real - fake)
        excess = input_gradient(discriminator, between, labels).norm(dim=1) - 1
        if self.one_sided:
            excess = F.relu(excess)
        return self.weight * excess.square().mean()

import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.penalty.base import Penalty, input_gradient


class PerturbedGradientPenalty(Penalty):
    """Pulls the discriminator's gradient norm towards 1 around real images (DRAGAN: Kodali et al. 2017).

    * DRAGAN = weight * E[(||grad_x D(x, y)||_2 - 1)^2],  x = real + epsilon * std(real) / 2 * noise

    std is the standard deviation of all pixels of the batch (of this device's share). Epsilon is uniform for each
    sample, the noise uniform in [0, 1) for each pixel, from the device's default generator. This is the authors' code;
    the paper's equation has Gaussian noise of a fixed variance. The noise is never negative, which suits images with a
    background of -1. The paper's weight (lambda) is 10.
    """

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        super().__init__(interval, weight)

    @override
    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        noise = 0.5 * real.std(correction=0) * torch.rand_like(real)
        norm = input_gradient(discriminator, real + epsilon * noise, labels).norm(dim=1)
        return self.weight * (norm - 1).square().mean()

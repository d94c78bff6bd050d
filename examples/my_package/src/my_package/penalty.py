from torch import Tensor, nn

from fmcgan.penalty.base import Penalty, input_gradient


class ZeroBetween(Penalty):
    """Pulls the discriminator's gradient towards 0 between real and generated images (Thanh-Tung et al. 2019).

    weight * E[||grad_x D(x, y)||_2^2],  x = epsilon * real + (1 - epsilon) * fake
    """

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__(interval, weight)

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor, epsilon: Tensor) -> Tensor:
        """Computes the weighted mean of the squared gradient norms."""
        between = fake + epsilon * (real - fake)
        return self.weight * input_gradient(discriminator, between, labels).square().sum(dim=1).mean()

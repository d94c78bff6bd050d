from torch import Tensor
from typing_extensions import override

from fmcgan.loss.base import AdversarialLoss, check_logits


class LeastSquares(AdversarialLoss):
    """Squared distance of the logit to its target: 1 for real, -1 for generated, 0 for G.

    LSGAN (Mao et al. 2017), eq. 2 with a = -1, b = 1, c = 0 (eq. 8): the game minimises a Pearson chi-square
    divergence. Targets symmetric about 0 keep the decision boundary at 0: a positive logit means real.

    * L_D = 1/2 E[(real - 1)^2] + 1/2 E[(fake + 1)^2]
    * L_G = 1/2 E[fake^2]
    """

    @override
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real, fake)
        return 0.5 * (real - 1).square().mean() + 0.5 * (fake + 1).square().mean()

    @override
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake)
        return 0.5 * fake.square().mean()

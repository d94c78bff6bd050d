"""Minimax loss: the zero-sum game of the first GAN paper."""

import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from fmcgan.loss.base import AdversarialLoss, check_logits


class Minimax(AdversarialLoss):
    """Cross-entropy for D; G minimises the value that D maximises (Goodfellow et al. 2014, eq. 1).

    * L_D = E[softplus(-real)] + E[softplus(fake)]
    * L_G = -E[softplus(fake)]  =  E[log(1 - D(G(z)))]

    The gradient for G vanishes if D is certain that the images are generated.
    """

    @override
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real, fake)
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    @override
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake)
        return -F.softplus(fake).mean()

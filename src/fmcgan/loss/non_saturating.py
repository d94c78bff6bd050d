import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from fmcgan.loss.base import AdversarialLoss, check_logits


class NonSaturating(AdversarialLoss):
    """Cross-entropy for D; G maximises log D(G(z)) (Goodfellow et al. 2014, section 3, last paragraph).

    The usual "vanilla GAN". With D(x) = sigmoid(logit) and softplus(a) = log(1 + e^a):

    * L_D = E[softplus(-real)] + E[softplus(fake)]  =  -E[log D(x)] - E[log(1 - D(G(z)))]
    * L_G = E[softplus(-fake)]                      =  -E[log D(G(z))]
    """

    @override
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real, fake)
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    @override
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake)
        return F.softplus(-fake).mean()

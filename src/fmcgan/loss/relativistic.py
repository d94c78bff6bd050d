import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from fmcgan.loss.base import AdversarialLoss, check_logits


class Relativistic(AdversarialLoss):
    """Logistic loss on the logit differences of real and generated pairs (RpGAN: Jolicoeur-Martineau 2018).

    * L_D = E[softplus(fake_i - real_i)]
    * L_G = E[softplus(real_i - fake_i)]

    A pair is the i-th real and the i-th generated image of a batch; both have the same label. Only differences of
    logits count, so all logits may drift together and 0 is no decision boundary. R3GAN (Huang et al. 2024) shows that
    training converges with R1 and R2 together; `loss=relativistic` therefore sets `penalty=r1_r2`.
    """

    generator_needs_real = True
    has_decision_boundary = False

    @override
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real, fake)
        return F.softplus(fake - real).mean()

    @override
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            raise ValueError("a relativistic loss needs the logits of real images, got None")
        check_logits(real, fake)
        return F.softplus(real - fake).mean()

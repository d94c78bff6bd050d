"""The relativistic pairing loss (RpGAN)."""

import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from fmcgan.loss.base import AdversarialLoss, check_logits


class Relativistic(AdversarialLoss):
    """D ranks each real image above the generated one it is paired with (Jolicoeur-Martineau 2018).

    * L_D = E[softplus(fake_i - real_i)]
    * L_G = E[softplus(real_i - fake_i)]

    A pair is the i-th real and the i-th generated image of a batch; the step gives both the same label. Only
    differences of logits count, so a logit of 0 is no decision boundary and all logits may drift together. R3GAN
    (Huang et al. 2024) shows that it converges with R1 and R2 together, which is why `loss=relativistic` sets
    `penalty=r1_r2`.
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
            raise ValueError("a relativistic loss compares each generated image with a real one; real is None")
        check_logits(real, fake)
        return F.softplus(real - fake).mean()

import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from fmcgan.loss.base import AdversarialLoss, check_logits


class Hinge(AdversarialLoss):
    """Hinge loss with a margin of 1 for D (Lim & Ye 2017; Miyato et al. 2018, eq. 16 and 17).

    * L_D = E[max(0, 1 - real)] + E[max(0, 1 + fake)]
    * L_G = -E[fake]
    """

    @override
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real, fake)
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    @override
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake)
        return -fake.mean()

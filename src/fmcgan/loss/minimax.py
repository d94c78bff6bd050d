import torch.nn.functional as F
from torch import Tensor
from typing_extensions import override

from fmcgan.loss.base import check_logits
from fmcgan.loss.non_saturating import NonSaturating


class Minimax(NonSaturating):
    """Cross-entropy for D, as `NonSaturating`; G minimises what D maximises (Goodfellow et al. 2014, eq. 1).

    * L_D = E[softplus(-real)] + E[softplus(fake)]
    * L_G = -E[softplus(fake)]  =  E[log(1 - D(G(z)))], whose gradient vanishes if D is certain of generated images
    """

    @override
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake)
        return -F.softplus(fake).mean()

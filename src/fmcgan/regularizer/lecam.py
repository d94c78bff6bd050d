import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import number, whole_number
from fmcgan.app.distributed import mean_over_devices
from fmcgan.regularizer.base import Regularizer


class LeCam(Regularizer):
    """Pulls real logits towards recent generated logits and the reverse (Tseng et al. 2021, R_LC).

    * LeCam = weight * (E[(D(x, y) - a_fake)^2] + E[(D(G(z, y), y) - a_real)^2])

    The anchors a_real and a_fake are exponential moving averages of the mean logits on real and on generated images,
    including this update. They start at the means of the first update.

    Args:
        weight: lambda; the authors use 0.3 on CIFAR.
        decay: of the anchors at each update.
        start: discriminator updates before the term is added; the anchors are updated from the first on.
        one_sided: uses the authors' code, max(0, D(x) - a_fake)^2 and max(0, a_real - D(G(z)))^2, instead of the plain
            squares of the paper's equation.
    """

    real_anchor: Tensor
    fake_anchor: Tensor
    updates: Tensor

    def __init__(self, weight: float = 0.3, decay: float = 0.99, start: int = 1000, one_sided: bool = False) -> None:
        super().__init__()
        number(minimum=0, weight=weight)
        number(minimum=0, maximum=1, decay=decay)
        whole_number(minimum=0, start=start)
        self.weight, self.decay, self.start, self.one_sided = weight, decay, start, one_sided
        self.register_buffer("real_anchor", torch.zeros(()))
        self.register_buffer("fake_anchor", torch.zeros(()))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @override
    def forward(
        self,
        discriminator: nn.Module,
        real: Tensor,
        fake: Tensor,
        labels: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
    ) -> Tensor:
        real_logits, fake_logits = real_logits.float(), fake_logits.float()
        self._update_anchors(real_logits, fake_logits)
        above, below = real_logits - self.fake_anchor, self.real_anchor - fake_logits
        if self.one_sided:
            above, below = F.relu(above), F.relu(below)
        term = above.square().mean() + below.square().mean()
        return torch.where(self.updates > self.start, self.weight * term, 0.0)

    @torch.no_grad()
    def _update_anchors(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        self.updates.add_(1)
        rate = torch.where(self.updates == 1, 1.0, 1.0 - self.decay)
        self.real_anchor.lerp_(mean_over_devices(real_logits.mean()), rate)
        self.fake_anchor.lerp_(mean_over_devices(fake_logits.mean()), rate)

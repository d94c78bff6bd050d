import torch.nn.functional as F
from torch import Tensor

from fmcgan.app.checks import number
from fmcgan.loss.base import AdversarialLoss, check_logits


class SmoothedLabels(AdversarialLoss):
    """Non-saturating loss whose real images are labelled 1 - smoothing (Salimans et al. 2016, section 3.4).

    * L_D = (1 - s) E[softplus(-real)] + s E[softplus(real)] + E[softplus(fake)]
    * L_G = E[softplus(-fake)]

    Args:
        smoothing: s, in 0..0.5.
    """

    def __init__(self, smoothing: float = 0.1) -> None:
        number(0, 0.5, smoothing=smoothing)
        self.smoothing = smoothing

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Computes the cross entropy with smoothed labels of real images."""
        check_logits(real, fake)
        on_real = (1 - self.smoothing) * F.softplus(-real) + self.smoothing * F.softplus(real)
        return on_real.mean() + F.softplus(fake).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Computes the cross entropy of generated images with the label of real ones."""
        check_logits(fake)
        return F.softplus(-fake).mean()

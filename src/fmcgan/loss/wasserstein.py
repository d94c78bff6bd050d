"""Wasserstein loss, with a penalty (`loss=wgan_gp`) or weight clipping (`loss=wgan`) as the Lipschitz constraint."""

import logging

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.app.errors import InvalidValueError
from fmcgan.loss.base import AdversarialLoss, check_logits

log = logging.getLogger(__name__)


class Wasserstein(AdversarialLoss):
    """The critic estimates the Wasserstein-1 distance, the generator lowers it (Arjovsky et al. 2017, eq. 2 and 3).

    * L_D = E[fake] - E[real]  (minus the estimated distance)
    * L_G = -E[fake]
    """

    has_decision_boundary = False

    @override
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real, fake)
        return fake.mean() - real.mean()

    @override
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake)
        return -fake.mean()

    @override
    def check_discriminator(self, discriminator: nn.Module, penalized: bool) -> None:
        if not penalized and not _is_normalised(discriminator):
            log.warning(
                "this critic has no Lipschitz constraint, its logits may grow without bound; choose penalty=wgan_gp,"
                " spectral_norm=discriminator or loss=wgan"
            )


class ClippedWasserstein(Wasserstein):
    """Wasserstein with every critic weight clamped after each update (Arjovsky et al. 2017, algorithm 1, line 7).

    Args:
        weight_clip: c; weights are clamped to [-c, c]. The paper uses 0.01.
    """

    def __init__(self, weight_clip: float = 0.01) -> None:
        number(minimum=1e-6, weight_clip=weight_clip)
        self.weight_clip = weight_clip

    @override
    def check_discriminator(self, discriminator: nn.Module, penalized: bool) -> None:
        if _is_normalised(discriminator):  # divides a weight by its norm, which undoes the clipping
            raise InvalidValueError(
                "weight clipping has no effect on a discriminator with spectral normalisation:"
                " choose spectral_norm=none, or loss=wgan_gp"
            )

    @override
    @torch.no_grad()
    def constrain(self, discriminator: nn.Module) -> None:
        for parameter in discriminator.parameters():
            parameter.clamp_(-self.weight_clip, self.weight_clip)


def _is_normalised(discriminator: nn.Module) -> bool:
    return any(is_parametrized(module, "weight") for module in discriminator.modules())

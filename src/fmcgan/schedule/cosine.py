"""Half a cosine."""

import math

from typing_extensions import override

from fmcgan.schedule.base import Schedule


class Cosine(Schedule):
    """From `start` to `end` on half a cosine, level at both ends (Loshchilov and Hutter 2017, SGDR, eq. 5).

    R3GAN (Huang et al. 2024) takes it for the learning rates, the penalty, the half-life of the average and Adam's
    beta2 in a burn-in at the beginning of training.
    """

    @override
    def curve(self, progress: float) -> float:
        return 0.5 * (1.0 - math.cos(math.pi * progress))

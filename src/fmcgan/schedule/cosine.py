import math

from typing_extensions import override

from fmcgan.schedule.base import Schedule


class Cosine(Schedule):
    """Half a cosine from `start_value` to `end_value` (Loshchilov and Hutter 2017, SGDR, eq. 5).

    R3GAN (Huang et al. 2024) applies it to the learning rates, the penalty's weight, the half-life of the moving
    average and Adam's beta2.
    """

    @override
    def curve(self, progress: float) -> float:
        return 0.5 * (1.0 - math.cos(math.pi * progress))

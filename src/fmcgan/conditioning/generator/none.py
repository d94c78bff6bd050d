from torch import Tensor
from typing_extensions import override

from fmcgan.conditioning.generator.base import GeneratorConditioning


class NoConditioning(GeneratorConditioning):
    """The generator ignores the label: the unconditional arm of a comparison.

    `at_input` stays true, so that networks without normalisation accept it.
    """

    @override
    def combine(self, latent: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return latent, labels

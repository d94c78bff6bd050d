from torch import Tensor
from typing_extensions import override

from fmcgan.regularizer.base import Regularizer


class NoRegularizer(Regularizer):
    """Always 0."""

    is_none = True

    @override
    def forward(self, discriminator: object, real: Tensor, *arguments: Tensor) -> Tensor:
        return real.new_zeros(())

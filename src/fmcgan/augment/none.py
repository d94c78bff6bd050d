from torch import Tensor
from typing_extensions import override

from fmcgan.augment.base import Augmentation


class NoAugmentation(Augmentation):
    """Leaves images unchanged."""

    is_none = True

    @override
    def forward(self, images: Tensor) -> Tensor:
        return images

import math

import torch
from torch import Tensor
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.augment.base import BACKGROUND, Augmentation


class Cutout(Augmentation):
    """Fills a square of each image with background (DeVries & Taylor 2017; Zhao et al. 2020, DiffAugment).

    The centre of the square is uniform over the image (a pixel, or a corner of pixels if the side is even), so the
    square may cross the edge. The papers fill with 0, which is mid-grey here and differs from the background. `share`
    is the side of the square as a share of the image's side, rounded to pixels; Zhao et al. use 1/2.
    """

    def __init__(self, share: float = 0.5) -> None:
        super().__init__()
        number(minimum=0, maximum=1, share=share)
        self.share = share

    @override
    def forward(self, images: Tensor) -> Tensor:
        n, _, height, width = images.shape
        rows, columns = self._covered(n, height, images.device), self._covered(n, width, images.device)
        hole = rows[:, None, :, None] & columns[:, None, None, :]
        return torch.where(hole, BACKGROUND, images)

    def _covered(self, n: int, size: int, device: torch.device) -> Tensor:
        """Returns which rows (or columns) the square of each image covers, [n, size]."""
        side = math.floor(self.share * size + 0.5)
        first = torch.randint(size + 1 - side % 2, (n, 1), device=device) - side // 2
        index = torch.arange(size, device=device)
        return (index >= first) & (index < first + side)

"""Random shifts."""

import math

import torch
from torch import Tensor
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.augment.base import BACKGROUND, Augmentation


class Translation(Augmentation):
    """Shifts each image by whole pixels, down and to the right independently (Zhao et al. 2020, DiffAugment).

    Every shift from -n to n is as likely as any other. What comes in at the edge is background (-1): the 0 of the paper
    would be mid-grey here, a frame that no photograph has. What leaves the image is lost.

    Args:
        share: the farthest shift n as a share of the size, rounded to pixels; the paper uses 1/8.
    """

    def __init__(self, share: float = 0.125) -> None:
        super().__init__()
        number(minimum=0, maximum=1, share=share)
        self.share = share

    @override
    def forward(self, images: Tensor) -> Tensor:
        n, _, height, width = images.shape
        rows, rows_inside = self._origin(n, height, images.device)
        columns, columns_inside = self._origin(n, width, images.device)
        pixels = rows[:, :, None] * width + columns[:, None, :]  # [B, 28, 28], places in the flat image
        moved = images.flatten(2).gather(2, pixels.flatten(1)[:, None]).view(images.shape)
        inside = rows_inside[:, None, :, None] & columns_inside[:, None, None, :]
        return torch.where(inside, moved, BACKGROUND)

    def _origin(self, n: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Where each row (or column) of each shifted image comes from, [n, size], and whether that lies inside."""
        farthest = math.floor(self.share * size + 0.5)
        shift = torch.randint(-farthest, farthest + 1, (n, 1), device=device)
        origin = torch.arange(size, device=device) - shift
        return origin.clamp(0, size - 1), (origin >= 0) & (origin < size)

import math

import torch
from torch import Tensor
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.augment.base import BACKGROUND, Augmentation


class Translation(Augmentation):
    """Shifts each image by whole pixels, vertically and horizontally (Zhao et al. 2020, DiffAugment).

    Every shift from -n to n is equally likely. n is `share` times the image's side, rounded to pixels (paper: 1/8).
    New pixels at the edge are background (-1); the paper's 0 would be a mid-grey frame here.
    """

    def __init__(self, share: float = 0.125) -> None:
        super().__init__()
        number(minimum=0, maximum=1, share=share)
        self.share = share

    @override
    def forward(self, images: Tensor) -> Tensor:
        n, channels, height, width = images.shape
        rows, rows_inside = self._origin(n, height, images.device)
        columns, columns_inside = self._origin(n, width, images.device)
        pixels = rows[:, :, None] * width + columns[:, None, :]  # [B, H, W], indices into the flat image
        source = pixels.flatten(1)[:, None].expand(-1, channels, -1)
        moved = images.flatten(2).gather(2, source).view(images.shape)
        inside = rows_inside[:, None, :, None] & columns_inside[:, None, None, :]
        return torch.where(inside, moved, BACKGROUND)

    def _origin(self, n: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Returns the source of each row (or column), [n, size], and whether it lies inside the image."""
        farthest = math.floor(self.share * size + 0.5)
        shift = torch.randint(-farthest, farthest + 1, (n, 1), device=device)
        origin = torch.arange(size, device=device) - shift
        return origin.clamp(0, size - 1), (origin >= 0) & (origin < size)

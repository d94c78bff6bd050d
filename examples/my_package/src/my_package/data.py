from typing import Any

import torch
from torch import Tensor

from fmcgan.app.checks import seed_number, whole_number
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.info import DatasetInfo

_SIZE = 16


class StripesData(ImageDataModule):
    """Drawn stripes in four directions, 16 x 16, grey, balanced; needs no download.

    Args:
        n_train: number of training images.
        n_test: number of test images.
        drawing_seed: of the images. The other options are those of `ImageDataModule`.
    """

    # A mirrored diagonal is of another class, so images must not be flipped.
    source: DatasetInfo = DatasetInfo("stripes", ("flat", "upright", "rising", "falling"), size=_SIZE, flips=False)

    def __init__(self, n_train: int = 1000, n_test: int = 400, drawing_seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        whole_number(minimum=self.source.num_classes, n_train=n_train, n_test=n_test)
        seed_number(drawing_seed=drawing_seed)
        self.n_train, self.n_test, self.drawing_seed = n_train, n_test, drawing_seed

    def load(self) -> ImageSplits:
        """Draws both splits from one stream of random numbers, the test images first."""
        stream = torch.Generator().manual_seed(self.drawing_seed)
        test, train = _draw(self.n_test, stream), _draw(self.n_train, stream)
        return ImageSplits(*train, *test)


def _draw(count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draws sine waves of random phase and period with noise: uint8 [N, 1, 16, 16], and labels int64 [N]."""
    labels = torch.arange(count) % StripesData.source.num_classes
    y, x = torch.meshgrid(torch.arange(_SIZE), torch.arange(_SIZE), indexing="ij")
    place = torch.stack([y, x, y + x, y - x])[labels]  # [N, 16, 16]
    period, phase, noise = (torch.rand(count, 1, 1, generator=stream) for _ in range(3))
    wave = torch.sin(2 * torch.pi * (place / (4 + 4 * period) + phase))
    grain = 0.1 * noise * torch.randn(place.shape, generator=stream)
    return ((wave + grain + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).unsqueeze(1), labels

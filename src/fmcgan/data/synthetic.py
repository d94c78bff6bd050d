from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmcgan.app import checks
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.data.silhouettes import draw


class SyntheticData(ImageDataModule):
    """Drawn garments in the format of Fashion-MNIST, with balanced classes; needs no download.

    A larger data set starts with the images of a smaller one; the test images do not depend on ``n_train``. The images
    depend on ``drawing_seed``, the order of the batches on ``seed``. The options are those of `ImageDataModule`.
    """

    source: DatasetInfo = replace(GARMENTS, name="synthetic")

    def __init__(
        self,
        n_train: int = 2000,
        n_test: int = 1000,
        drawing_seed: int = 0,
        *,
        batch_size: int,
        seed: int,
        **options: Any,
    ) -> None:
        super().__init__(batch_size, seed, **options)
        checks.whole_number(minimum=GARMENTS.num_classes, maximum=checks.MOST_IMAGES, n_train=n_train, n_test=n_test)
        checks.seed_number(drawing_seed=drawing_seed)
        self.n_train: int = n_train
        self.n_test, self.drawing_seed = n_test, drawing_seed

    def load(self) -> ImageSplits:
        """Draws the images; the result depends on ``drawing_seed`` and the sizes alone."""
        train, test = np.random.SeedSequence(self.drawing_seed).spawn(2)
        return ImageSplits(*_draw_split(self.n_train, train), *_draw_split(self.n_test, test))


def _draw_split(count: int, seed: np.random.SeedSequence) -> tuple[Tensor, Tensor]:
    """Draws images uint8 [count, 1, 28, 28], one of each class in turn, and labels int64 [count]."""
    drawing_rng, noise_rng = (np.random.default_rng(each) for each in seed.spawn(2))
    labels = np.arange(count) % GARMENTS.num_classes
    drawings = np.stack([draw(label, drawing_rng) for label in labels.tolist()])  # [count, 28, 28]
    noise = 0.06 * noise_rng.standard_normal(drawings.shape, dtype=np.float32)
    pixels = np.rint(drawings * (1 + noise)).clip(0, 255).astype(np.uint8)  # multiplicative: black stays black
    return torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels)

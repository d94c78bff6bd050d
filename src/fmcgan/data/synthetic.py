"""A synthetic data set without a download: drawings of the ten classes."""

import numpy as np
import torch
from torch import Tensor

from fmcgan.app import checks
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.data.datamodule import GarmentData, GarmentImages
from fmcgan.data.pencil import SIZE, Pencil
from fmcgan.data.silhouettes import GARMENTS

_WITHOUT_PATTERN = (5, 7, 8, 9)  # shoes and bag


class SyntheticData(GarmentData):
    """Drawn garments in the format of Fashion-MNIST, with balanced classes.

    A larger data set starts with the images of a smaller one; the test images do not depend on ``n_train``.

    Args:
        n_train: number of training images.
        n_test: number of test images.
        drawing_seed: of the drawings.
        batch_size: images in a global batch, over all devices.
        seed: of the order of the batches.
    """

    def __init__(
        self, n_train: int = 2000, n_test: int = 1000, drawing_seed: int = 0, *, batch_size: int, seed: int
    ) -> None:
        super().__init__(batch_size, seed)
        checks.whole_number(minimum=NUM_CLASSES, maximum=checks.MOST_IMAGES, n_train=n_train, n_test=n_test)
        checks.seed_number(drawing_seed=drawing_seed)
        self.n_train = n_train
        self.n_test = n_test
        self.drawing_seed = drawing_seed

    def load(self) -> GarmentImages:
        """Draws the images; the result depends on ``drawing_seed`` and the sizes alone."""
        train, test = np.random.SeedSequence(self.drawing_seed).spawn(2)
        return GarmentImages(*_draw_split(self.n_train, train), *_draw_split(self.n_test, test))


def _draw_split(count: int, seed: np.random.SeedSequence) -> tuple[Tensor, Tensor]:
    """Draws images uint8 [count, 1, 28, 28], one of each class in turn, and labels int64 [count]."""
    drawing_rng, noise_rng = (np.random.default_rng(each) for each in seed.spawn(2))
    labels = np.arange(count) % NUM_CLASSES
    drawings = np.stack([_draw(int(label), drawing_rng) for label in labels])  # [count, 28, 28]
    noise = 1 + 0.06 * noise_rng.standard_normal(
        (count, SIZE, SIZE), dtype=np.float32
    )  # multiplicative: black stays black
    pixels = np.rint(drawings * noise).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels)


def _draw(label: int, random: np.random.Generator) -> np.ndarray:
    pencil = Pencil(random)
    GARMENTS[CLASS_NAMES[label]](pencil)
    return pencil.finish(pattern=label not in _WITHOUT_PATTERN)

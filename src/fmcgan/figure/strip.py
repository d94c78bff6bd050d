"""A row of small images."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.figure.grid import GAP, PAPER, magnification


def strip(images: NDArray[np.uint8]) -> Image.Image:
    """Draws N magnified images, uint8 [N, H, W] or [N, H, W, 3], beside each other, with N > 0."""
    scale = magnification(images.shape[2])
    tiles = images.repeat(scale, axis=1).repeat(scale, axis=2)
    gap = np.full_like(tiles[0, :, :GAP], PAPER)
    return Image.fromarray(np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1))

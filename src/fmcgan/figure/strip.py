"""A row of small images."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.figure.grid import GAP, enlarged, magnification
from fmcgan.figure.paper import paste, sheet


def strip(images: NDArray[np.uint8]) -> Image.Image:
    """Draws N magnified images, uint8 [N, H, W] or [N, H, W, 3], beside each other, with N > 0."""
    scale = magnification(images.shape[2])
    step, height = images.shape[2] * scale + GAP, images.shape[1] * scale
    drawn = sheet("L" if images.ndim == 3 else "RGB", (len(images) * step - GAP, height))
    for column, image in enumerate(images):
        paste(drawn, enlarged(image, scale), (column * step, 0))
    return drawn

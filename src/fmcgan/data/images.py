"""Conversions between uint8 images in 0..255 (files, memory, metrics) and float images in [-1, 1] (networks)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_float(images: Tensor) -> Tensor:
    """Maps uint8 0..255, of any shape, to float32 [-1, 1]; 0 -> -1 and 255 -> 1 exactly.

    Raises:
        TypeError: the images are not uint8, so their range is unknown.
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8 in 0..255, got {images.dtype}")
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Maps float [-1, 1], of any shape, to uint8, rounded and clamped to 0..255; the inverse of `to_float`."""
    return images.float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def to_pixels(images: Tensor) -> NDArray[np.uint8]:
    """Converts uint8 [..., C, H, W] to an array for figures and files: [..., H, W] if grey, else [..., H, W, 3]."""
    pixels = images.cpu().numpy()
    return pixels[..., 0, :, :] if pixels.shape[-3] == 1 else np.moveaxis(pixels, -3, -1)

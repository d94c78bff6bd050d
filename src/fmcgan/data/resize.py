"""Brings images of any size and shape to one square size."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fmcgan.app.checks import one_of
from fmcgan.data.images import to_pixels

ASPECTS = ("crop", "pad", "stretch")


@dataclass(frozen=True)
class Resize:
    """Resizes images to ``size`` x ``size`` pixels.

    Args:
        size: height and width of the result; ``None``: square images stay as they are.
        filter: ``lanczos``, ``bicubic``, ``bilinear``, ``box`` or ``nearest``; ``none`` does not scale, but adds black
            borders to small images and cuts off those of large ones.
        aspect: of images that are not square: ``crop`` takes the largest square in the middle, ``pad`` adds black
            borders, ``stretch`` changes the proportions.
    """

    size: int | None = None
    filter: str = "lanczos"
    aspect: str = "crop"

    FILTERS: ClassVar[dict[str, Image.Resampling | None]] = {
        "lanczos": Image.Resampling.LANCZOS,
        "bicubic": Image.Resampling.BICUBIC,
        "bilinear": Image.Resampling.BILINEAR,
        "box": Image.Resampling.BOX,
        "nearest": Image.Resampling.NEAREST,
        "none": None,
    }

    def __post_init__(self) -> None:
        one_of(tuple(self.FILTERS), resize=self.filter)
        one_of(ASPECTS, aspect=self.aspect)

    def image(self, image: Image.Image) -> Image.Image:
        """Resizes one image of mode L or RGB."""
        if image.width != image.height and self.aspect != "stretch":
            side = (min if self.aspect == "crop" else max)(image.size)
            image = _centred(image, side)
        if self.size is None or image.size == (self.size, self.size):
            return image
        resampling = self.FILTERS[self.filter]
        return _centred(image, self.size) if resampling is None else image.resize((self.size, self.size), resampling)

    def images(self, images: Tensor) -> Tensor:
        """Resizes uint8 [N, C, H, W] with 1 or 3 channels."""
        height, width = images.shape[2:]
        if height == width == (self.size or height):
            return images
        resized = [np.asarray(self.image(Image.fromarray(each))) for each in to_pixels(images)]
        pixels = torch.from_numpy(np.stack(resized))
        return pixels.unsqueeze(1) if images.shape[1] == 1 else pixels.permute(0, 3, 1, 2).contiguous()


def _centred(image: Image.Image, side: int) -> Image.Image:
    """Cuts or pads an image with black to a square around its centre."""
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))  # outside of the image, PIL fills with 0

import torch
from torch import Tensor
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.augment.base import Augmentation


class Brightness(Augmentation):
    """Changes brightness, contrast and saturation of each image; the background stays black.

    Replaces the colour policy of DiffAugment (Zhao et al. 2020), which adds a random number to every pixel and scales
    the pixels about their mean. Both would change the background, which is more than half of an image and constant.
    With u = (x + 1) / 2 in [0, 1], background 0:

    * contrast: v = u + c u (1 - u) (2 u - 1), a smooth curve that maps 0, 1/2 and 1 to themselves; its slope is
      1 + c/2 in the middle and 1 - c at the ends, so it is non-decreasing for c in [-1, 1].
    * saturation, of colour images only: each channel's distance from the mean of all is multiplied by s.
    * brightness: w = b v. Not clipped, since clipping would stop the generator's gradient: bright pixels may exceed
      x = 1.

    Args:
        brightness: b is drawn between 1 - brightness and 1 + brightness; at most 1.
        contrast: c is drawn between -contrast and contrast; at most 1.
        saturation: s is drawn between 1 - saturation and 1 + saturation; at most 1, as in the paper.
    """

    def __init__(self, brightness: float = 0.5, contrast: float = 0.5, saturation: float = 1.0) -> None:
        super().__init__()
        number(minimum=0, maximum=1, brightness=brightness, contrast=contrast, saturation=saturation)
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation

    @override
    def forward(self, images: Tensor) -> Tensor:
        factor = 1 + _symmetric(images, self.brightness)
        curve = _symmetric(images, self.contrast)
        level = (images + 1) / 2
        level = level + curve * level * (1 - level) * (2 * level - 1)
        if images.shape[1] > 1:  # grey images have no colour
            grey = level.mean(dim=1, keepdim=True)
            level = grey + (1 + _symmetric(images, self.saturation)) * (level - grey)
        return factor * level * 2 - 1


def _symmetric(images: Tensor, largest: float) -> Tensor:
    """Draws one number from -largest to largest for each image, [B, 1, 1, 1], in the images' dtype."""
    uniform = torch.rand(len(images), 1, 1, 1, device=images.device)
    return (largest * (2 * uniform - 1)).to(images.dtype)

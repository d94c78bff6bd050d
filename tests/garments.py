"""Sets of images in the format of Fashion-MNIST."""

from torch import Tensor

from fmcgan.data.garments import GARMENTS
from fmcgan.metric.image_set import ImageSet


def garment_set(images: Tensor, labels: Tensor, *options: object, **named: object) -> ImageSet:
    """Builds a set of uint8 [N, 1, 28, 28] with ten classes; the options are those of `ImageSet` after ``info``."""
    return ImageSet(images, labels, GARMENTS, *options, **named)

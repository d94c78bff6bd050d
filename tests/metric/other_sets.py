"""Small sets of images unlike garments: grey ones of three classes, colour ones of five classes of unequal sizes."""

import torch
from torch import Tensor

from fmcgan.data.info import DatasetInfo
from fmcgan.metric.image_set import ImageSet, RealImages

GREY = DatasetInfo("shapes", ("disc", "ring", "cross"), channels=1, size=16)
COLOUR = DatasetInfo("birds", ("owl", "jay", "auk/puffin", "kea", "tit"), channels=3, size=32, flips=False)
SIZES = (12, 2, 7, 3, 5)  # of the classes of COLOUR


def flat(info: DatasetInfo, levels: list[int], labels: list[int] | None = None, **options) -> ImageSet:
    """Images of one level each, in all channels; labels 0, 1, ... in turn unless given."""
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, *info.shape).contiguous()
    drawn = torch.arange(len(levels)) % info.num_classes if labels is None else torch.tensor(labels)
    return ImageSet(images, drawn, info, **options)


def noise(info: DatasetInfo, labels: list[int], seed: int = 0, **options) -> ImageSet:
    """Uniform noise."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (len(labels), *info.shape), dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.tensor(labels), info, **options)


def unequal(seed: int = 0, times: int = 1, **options) -> ImageSet:
    """Noise of COLOUR with classes of `SIZES`, or a multiple of them."""
    labels = [label for label, size in enumerate(SIZES) for _ in range(size * times)]
    return noise(COLOUR, labels, seed, **options)


def coloured(labels: Tensor, info: DatasetInfo, seed: int = 0, **options) -> ImageSet:
    """Colour images that are easy to recognise: class c is bright in rows 3 c and 3 c + 1, over dark noise."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 60, (len(labels), *info.shape), dtype=torch.uint8, generator=generator)
    for row in (0, 1):
        images[torch.arange(len(labels)), :, 3 * labels + row] = 250
    return ImageSet(images, labels, info, **options)


def both(samples: ImageSet) -> RealImages:
    """The same set as training and as test images."""
    return RealImages(samples, samples)

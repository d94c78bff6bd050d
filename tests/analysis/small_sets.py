"""Small sets of images in other formats than Fashion-MNIST's."""

import torch

from fmcgan.data.info import DatasetInfo
from fmcgan.metric.image_set import ImageSet

LETTERS = DatasetInfo("letters", tuple("abcdefghijklmnopqrstuvwxyz"), channels=1, size=16, flips=False)
SCENES = DatasetInfo("scenes", ("sky", "a/b", "<i>sea</i>", "$x$", "long " * 8), channels=3, size=32)


def flat_set(info: DatasetInfo, levels: list, labels: list[int]) -> ImageSet:
    """Images of one level, or one colour, each."""
    colours = torch.tensor(levels, dtype=torch.uint8).reshape(len(labels), -1, 1, 1)
    images = colours.expand(-1, info.channels, info.size, info.size).contiguous()
    return ImageSet(images, torch.tensor(labels), info)


def noise_set(info: DatasetInfo, counts: list[int], seed: int) -> ImageSet:
    """So many images of noise of each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.repeat_interleave(torch.arange(info.num_classes), torch.tensor(counts))
    images = torch.randint(0, 256, (len(labels), *info.shape), generator=generator, dtype=torch.uint8)
    return ImageSet(images, labels, info)

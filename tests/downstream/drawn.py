"""Images of four classes that are hard to tell apart, so that more of them help, and a protocol of a second."""

import torch

from fmcgan.data.info import DatasetInfo
from fmcgan.downstream.protocol import Protocol
from fmcgan.metric.image_set import ImageSet, RealImages

INFO = DatasetInfo("blobs", ("ant", "bee", "cat", "dog"), size=16, flips=False)
PROTOCOL = Protocol(
    sizes=[20],
    ratios=[5],
    augmented_ratios=[],
    only_generated=False,
    long_tail=None,
    long_tail_sizes=[],
    seeds=[0, 1, 2],
    network="logistic_regression",
    steps=60,
    batch_size=32,
    learning_rate=0.02,
)


def noisy_classes(n: int, seed: int) -> ImageSet:
    """Draws n images: a faint pattern of the class, which is always the same, under strong noise."""
    patterns = torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (n,), generator=generator)
    images = 128 + 8 * patterns[labels] + 40 * torch.randn(n, 1, 16, 16, generator=generator)
    return ImageSet(images.clamp(0, 255).round().to(torch.uint8), labels, INFO)


def noisy_splits() -> RealImages:
    return RealImages(noisy_classes(600, 1), noisy_classes(400, 2))

import torch

from fmcgan.augment.none import NoAugmentation


def test_is_the_identity():
    images = torch.rand(2, 1, 28, 28)
    assert NoAugmentation()(images) is images

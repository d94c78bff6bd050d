import torch
from torch import nn

from fmcgan.augment.cutout import Cutout
from fmcgan.augment.diff_augment import DiffAugment
from fmcgan.augment.translation import Translation


class Affine(nn.Module):
    def __init__(self, factor, offset):
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, images):
        return self.factor * images + self.offset


def test_policies_follow_one_another_in_their_order():
    images = torch.full((1, 1, 28, 28), 3.0)
    double, add = Affine(2, 0), Affine(1, 1)
    assert DiffAugment({"double": double, "add": add})(images).unique().item() == 7  # 2 * 3 + 1
    assert DiffAugment({"add": add, "double": double})(images).unique().item() == 8  # 2 * (3 + 1)


def test_is_the_policies_with_the_same_random_numbers():
    images, shift, hole = torch.rand(8, 1, 28, 28), Translation(), Cutout()
    torch.manual_seed(0)
    expected = hole(shift(images))
    torch.manual_seed(0)
    assert torch.equal(DiffAugment({"shift": shift, "hole": hole})(images), expected)


def test_without_policies_nothing_happens():
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(DiffAugment({})(images), images)

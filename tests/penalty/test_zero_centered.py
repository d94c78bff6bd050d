import pytest
import torch
from torch import nn

from fmcgan.penalty.none import NoPenalty
from fmcgan.penalty.zero_centered import ZeroCenteredGradientPenalty


class QuadraticCritic(nn.Module):
    def forward(self, images, labels):
        return 0.5 * images.flatten(1).square().sum(1)


def test_by_hand_on_real_images_only():
    real = torch.stack([torch.full((1, 28, 28), 2 / 28), torch.full((1, 28, 28), 4 / 28)])  # norms 2 and 4
    fake = torch.full_like(real, 100.0)
    value = ZeroCenteredGradientPenalty(weight=3)(QuadraticCritic(), real, fake, torch.zeros(2), torch.rand(2, 1, 1, 1))
    assert value.item() == pytest.approx(3 / 2 * (4 + 16) / 2, rel=1e-5)


def test_none_is_zero():
    x = torch.ones(2, 1, 28, 28)
    value = NoPenalty()(QuadraticCritic(), x, x, torch.zeros(2), torch.rand(2, 1, 1, 1))
    assert value.shape == ()
    assert value.item() == 0.0

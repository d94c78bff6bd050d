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


@pytest.mark.parametrize(("images", "expected"), [("fake", (1 + 9) / 2), ("both", (4 + 16) / 2 + (1 + 9) / 2)])
def test_by_hand_on_generated_images_and_on_both(images, expected):
    real = torch.stack([torch.full((1, 28, 28), 2 / 28), torch.full((1, 28, 28), 4 / 28)])  # norms 2 and 4
    fake = torch.stack([torch.full((1, 28, 28), 1 / 28), torch.full((1, 28, 28), 3 / 28)])  # norms 1 and 3
    penalty = ZeroCenteredGradientPenalty(weight=3, images=images)
    value = penalty(QuadraticCritic(), real, fake, torch.zeros(2), torch.rand(2, 1, 1, 1))
    assert value.item() == pytest.approx(3 / 2 * expected, rel=1e-5)


def test_both_is_r1_plus_r2_with_each_samples_own_label_and_the_same_gradients():
    critic = nn.Embedding(3, 784)  # D(x, y) = 1/2 |w_y * x|^2

    def judge(images, labels):
        return 0.5 * (critic(labels) * images.flatten(1)).square().sum(1)

    real, fake, labels = torch.randn(4, 1, 28, 28), torch.randn(4, 1, 28, 28), torch.tensor([0, 1, 2, 0])
    values, gradients = {}, {}
    for images in ("real", "fake", "both"):
        values[images] = ZeroCenteredGradientPenalty(images=images)(judge, real, fake, labels, torch.rand(4, 1, 1, 1))
        (gradients[images],) = torch.autograd.grad(values[images], critic.weight)
    assert values["both"].item() == pytest.approx((values["real"] + values["fake"]).item(), rel=1e-5)
    assert torch.allclose(gradients["both"], gradients["real"] + gradients["fake"], rtol=1e-4, atol=1e-4)


def test_images_are_checked():
    with pytest.raises(ValueError, match="images must be one of real, fake, both, got 'all'"):
        ZeroCenteredGradientPenalty(images="all")


def test_none_is_zero():
    x = torch.ones(2, 1, 28, 28)
    value = NoPenalty()(QuadraticCritic(), x, x, torch.zeros(2), torch.rand(2, 1, 1, 1))
    assert value.shape == ()
    assert value.item() == 0.0

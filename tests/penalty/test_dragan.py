import pytest
import torch
from torch import nn

from fmcgan.penalty.dragan import PerturbedGradientPenalty


class LinearCritic(nn.Module):
    """D(x) = 3 * (first pixel) for label 0, half of it for label 1: gradient norms 3 and 1/2 everywhere."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 0.5]))

    def forward(self, images, labels):
        return images[:, 0, 0, 0] * self.weight[labels]


class QuadraticCritic(nn.Module):
    """D(x) = 1/2 |x|^2: its gradient is x itself. Keeps the images it was given."""

    def forward(self, images, labels):
        self.images = images.detach()
        return 0.5 * images.flatten(1).square().sum(1)


def judged(real, epsilon, seed=0):
    """Where the penalty of these images is taken, and its value."""
    critic = QuadraticCritic()
    torch.manual_seed(seed)
    value = PerturbedGradientPenalty(weight=1)(critic, real, real + 100, torch.zeros(len(real)), epsilon)
    return critic.images, value.item()


def test_closed_form_for_a_linear_critic_uses_each_samples_own_label():
    critic, x = LinearCritic(), torch.randn(3, 1, 28, 28)
    value = PerturbedGradientPenalty(weight=10)(critic, x, x, torch.tensor([0, 1, 1]), torch.rand(3, 1, 1, 1))
    assert value.item() == pytest.approx(10 * ((3 - 1) ** 2 + 0.25 + 0.25) / 3)
    value.backward()
    assert critic.weight.grad.tolist() == pytest.approx([10 * 2 * 2 / 3, 10 * 2 * 2 * -0.5 / 3])


def test_is_taken_at_the_real_images_where_epsilon_is_0():
    real = torch.stack([torch.full((1, 28, 28), 2 / 28), torch.full((1, 28, 28), 4 / 28)])  # norms 2 and 4
    points, value = judged(real, torch.zeros(2, 1, 1, 1))
    assert torch.equal(points, real)
    assert value == pytest.approx((1 + 9) / 2, rel=1e-5)


def test_noise_of_up_to_half_the_batchs_deviation_times_each_samples_epsilon():
    real = torch.ones(3, 1, 28, 28) * torch.tensor([-1.0, -1.0, 2.0]).view(3, 1, 1, 1)  # deviation sqrt(2)
    points, _ = judged(real, torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1, 1))
    noise = (points - real) / (0.5 * 2**0.5)
    for sample, epsilon in zip(noise, (1.0, 0.5, 0.0), strict=True):
        assert sample.min() >= 0
        assert sample.max().item() == pytest.approx(epsilon, abs=0.02)  # the largest of 784 uniform numbers
        assert sample.mean().item() == pytest.approx(epsilon / 2, abs=0.05)
    assert noise[0].unique().numel() > 700  # each pixel has a number of its own


def test_same_seed_same_noise():
    real, epsilon = torch.randn(2, 1, 28, 28), torch.rand(2, 1, 1, 1)
    assert judged(real, epsilon, seed=3)[1] == judged(real, epsilon, seed=3)[1]
    assert judged(real, epsilon, seed=3)[1] != judged(real, epsilon, seed=4)[1]


def test_weight_must_not_be_negative():
    with pytest.raises(ValueError, match="weight must be a number of at least 0, got -1"):
        PerturbedGradientPenalty(-1)

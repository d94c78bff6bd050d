import pytest
import torch
from torch import nn

from fmcgan.penalty.interpolated import InterpolatedGradientPenalty


class LinearCritic(nn.Module):
    """D(x, y) = <w_y, x>: its gradient is w_y, wherever it is taken."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 784))
        with torch.no_grad():
            self.weight[0, :9] = 1.0  # norm 3
            self.weight[1, 0] = 0.5  # norm 1/2

    def forward(self, images, labels):
        return (images.flatten(1) * self.weight[labels]).sum(1)


class QuadraticCritic(nn.Module):
    """D(x) = 1/2 |x|^2: its gradient is x itself, so the penalty tells where it was taken."""

    def forward(self, images, labels):
        return 0.5 * images.flatten(1).square().sum(1)


def images(*values):
    return torch.stack([torch.full((1, 28, 28), value / 28) for value in values])  # norm |value|


def test_closed_form_for_a_linear_critic_uses_each_samples_own_label():
    penalty = InterpolatedGradientPenalty(weight=10)
    x, epsilon = torch.randn(3, 1, 28, 28), torch.rand(3, 1, 1, 1)
    value = penalty(LinearCritic(), x, -x, torch.tensor([0, 1, 1]), epsilon)
    assert value.item() == pytest.approx(10 * ((3 - 1) ** 2 + 0.25 + 0.25) / 3, rel=1e-6)


def test_is_taken_between_real_and_fake_with_one_epsilon_a_sample():
    epsilon = torch.tensor([1.0, 0.25]).view(2, 1, 1, 1)
    value = InterpolatedGradientPenalty(weight=1)(
        QuadraticCritic(), images(3, 3), images(7, 7), torch.zeros(2), epsilon
    )
    # At 1 * 3 + 0 * 7 = 3 and at 0.25 * 3 + 0.75 * 7 = 6.
    assert value.item() == pytest.approx(((3 - 1) ** 2 + (6 - 1) ** 2) / 2, rel=1e-5)


def test_its_gradient_reaches_the_critic():
    critic = LinearCritic()
    x = torch.randn(1, 1, 28, 28)
    InterpolatedGradientPenalty(weight=1)(critic, x, x, torch.tensor([0]), torch.rand(1, 1, 1, 1)).backward()
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w| = 2 * 2 / 3 on the nine ones.
    assert torch.allclose(critic.weight.grad[0, :9], torch.full((9,), 4 / 3))
    assert critic.weight.grad[1].abs().sum() == 0


def test_one_sided_leaves_norms_below_1_alone():
    penalty = InterpolatedGradientPenalty(weight=10, one_sided=True)
    x, critic = torch.randn(3, 1, 28, 28), LinearCritic()
    value = penalty(critic, x, -x, torch.tensor([0, 1, 1]), torch.rand(3, 1, 1, 1))
    assert value.item() == pytest.approx(10 * (3 - 1) ** 2 / 3, rel=1e-6)
    value.backward()
    assert critic.weight.grad[0].abs().sum() > 0
    assert critic.weight.grad[1].abs().sum() == 0


def test_weight_must_not_be_negative():
    with pytest.raises(ValueError, match="weight must be a number of at least 0, got -1"):
        InterpolatedGradientPenalty(-1)

import math

import pytest
import torch

from fmcgan.loss.relativistic import Relativistic


def test_by_hand_each_image_against_its_own_partner():
    real, fake = torch.tensor([math.log(3), 1.0]), torch.tensor([0.0, 1.0])
    # Differences log 3 and 0: softplus(-log 3) = log(4/3), softplus(log 3) = log 4, softplus(0) = log 2.
    assert Relativistic().discriminator(real, fake).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    assert Relativistic().generator(real, fake).item() == pytest.approx((math.log(4) + math.log(2)) / 2)


def test_pairs_count_not_means():
    real, fake = torch.tensor([0.0, 5.0]), torch.tensor([5.0, 0.0])
    paired = Relativistic().discriminator(real, fake)
    assert paired.item() == pytest.approx((math.log1p(math.exp(5)) + math.log1p(math.exp(-5))) / 2)
    assert paired > Relativistic().discriminator(real, fake.flip(0))  # log 2


def test_only_differences_count():
    real, fake = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    for player in (Relativistic().discriminator, Relativistic().generator):
        assert torch.allclose(player(real + 7, fake + 7), player(real, fake))


def test_gradients_of_the_two_players_are_opposite_in_direction():
    real, fake = torch.tensor([0.3]), torch.tensor([-0.4], requires_grad=True)
    (down,) = torch.autograd.grad(Relativistic().discriminator(real, fake), fake)
    (up,) = torch.autograd.grad(Relativistic().generator(real, fake), fake)
    assert down.item() == pytest.approx(1 / (1 + math.exp(0.7)))  # sigmoid(fake - real)
    assert up.item() == pytest.approx(-1 / (1 + math.exp(-0.7)))


def test_the_generator_needs_real_logits():
    assert Relativistic().generator_needs_real
    with pytest.raises(ValueError, match="got None"):
        Relativistic().generator(None, torch.zeros(2))


def test_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match=r"same shape \[B\]"):
        Relativistic().discriminator(torch.zeros(4), torch.zeros(4, 1))

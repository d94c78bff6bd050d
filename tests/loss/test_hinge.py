import pytest
import torch

from fmcgan.loss.hinge import Hinge


def test_by_hand():
    loss = Hinge()
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert loss.discriminator(real, fake).item() == pytest.approx((0 + 0.5) / 2 + (0 + 2) / 2)
    assert loss.generator(None, fake).item() == pytest.approx(1.0)


def test_a_discriminator_right_by_the_margin_is_left_alone():
    real, fake = torch.tensor([1.5], requires_grad=True), torch.tensor([-1.5], requires_grad=True)
    Hinge().discriminator(real, fake).backward()
    assert real.grad.item() == fake.grad.item() == 0.0

import math

import pytest
import torch

from fmcgan.loss.minimax import Minimax
from fmcgan.loss.non_saturating import NonSaturating


def test_by_hand():
    loss = Minimax()
    real, fake = torch.tensor([math.log(3)]), torch.tensor([-math.log(3)])
    assert loss.discriminator(real, fake).item() == pytest.approx(2 * math.log(4 / 3), rel=1e-6)
    assert loss.generator(None, fake).item() == pytest.approx(math.log(3 / 4), rel=1e-6)


def test_zero_sum_up_to_the_real_term_and_same_discriminator_as_vanilla():
    real, fake = torch.randn(8), torch.randn(8)
    real_term = torch.nn.functional.softplus(-real).mean()
    assert torch.allclose(Minimax().generator(None, fake), real_term - Minimax().discriminator(real, fake))
    assert torch.equal(Minimax().discriminator(real, fake), NonSaturating().discriminator(real, fake))


def test_generator_gradient_vanishes_where_the_discriminator_is_sure():
    fake = torch.tensor([-20.0], requires_grad=True)
    Minimax().generator(None, fake).backward()
    assert fake.grad.item() == pytest.approx(0.0, abs=1e-6)

import math

import pytest
import torch

from fmcgan.loss.non_saturating import NonSaturating


def test_by_hand():
    loss = NonSaturating()
    real, fake = torch.tensor([0.0, math.log(3)]), torch.tensor([0.0, -math.log(3)])
    # D(x) = 1/2 and 3/4 on real, 1/2 and 1/4 on generated images.
    expected = 0.5 * (math.log(2) + math.log(4 / 3)) * 2
    assert loss.discriminator(real, fake).item() == pytest.approx(expected, rel=1e-6)
    assert loss.generator(None, fake).item() == pytest.approx(0.5 * (math.log(2) + math.log(4)), rel=1e-6)


def test_generator_gradient_does_not_vanish_where_the_discriminator_is_sure():
    fake = torch.tensor([-20.0], requires_grad=True)
    NonSaturating().generator(None, fake).backward()
    assert fake.grad.item() == pytest.approx(-1.0, abs=1e-6)


def test_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match=r"same shape \[B\]"):
        NonSaturating().discriminator(torch.zeros(4), torch.zeros(4, 1))

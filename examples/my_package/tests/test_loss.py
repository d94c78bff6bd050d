import math

import pytest
import torch

from my_package.loss import SmoothedLabels


def softplus(x):
    return math.log1p(math.exp(x))


def test_values_are_those_of_the_formula():
    real, fake = torch.tensor([2.0]), torch.tensor([-1.0])
    loss = SmoothedLabels(smoothing=0.25)
    expected = 0.75 * softplus(-2.0) + 0.25 * softplus(2.0) + softplus(-1.0)
    assert loss.discriminator(real, fake).item() == pytest.approx(expected)
    assert loss.generator(None, fake).item() == pytest.approx(softplus(1.0))


def test_the_best_logit_of_real_images_is_that_of_the_smoothed_label():
    real = torch.tensor([math.log(0.9 / 0.1)], dtype=torch.float64, requires_grad=True)
    SmoothedLabels(0.1).discriminator(real, torch.zeros(1)).backward()
    assert real.grad.item() == pytest.approx(0, abs=1e-12)


def test_a_share_above_a_half_is_refused():
    with pytest.raises(ValueError, match=r"smoothing must be a number from 0 to 0\.5, got 0\.6"):
        SmoothedLabels(0.6)

import pytest
import torch

from fmcgan.loss.least_squares import LeastSquares


def test_by_hand():
    loss = LeastSquares()
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 2.0])
    assert loss.discriminator(real, fake).item() == pytest.approx(0.5 * (0 + 4) / 2 + 0.5 * (0 + 9) / 2)
    assert loss.generator(None, fake).item() == pytest.approx(0.5 * (1 + 4) / 2)

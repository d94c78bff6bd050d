import torch

from fmcgan.regularizer.none import NoRegularizer


def test_is_zero():
    x, logits = torch.ones(2, 1, 28, 28), torch.ones(2)
    value = NoRegularizer()(torch.nn.Identity(), x, x, torch.zeros(2), logits, logits)
    assert value.shape == ()
    assert value.item() == 0.0

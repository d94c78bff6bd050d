import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fmcgan.layer.attention import SelfAttention


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_it_begins_as_the_identity():
    layer = SelfAttention(16)
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(layer(x), x)
    layer(x).sum().backward()
    assert layer.gamma.grad != 0  # or it would stay so


def test_two_places_by_hand():
    """Places 0 and ln 2; the first looks at both alike, the second at itself with exp(ln^2 2) : 1."""
    layer = SelfAttention(1)
    for linear, weight in ((layer.query, 1.0), (layer.key, 1.0), (layer.value, 2.0), (layer.out, 3.0)):
        nn.init.constant_(linear.weight, weight)
    nn.init.constant_(layer.gamma, 0.5)
    ln2 = math.log(2)
    share = math.exp(ln2**2) / (1 + math.exp(ln2**2))
    expected = [0.5 * 6 * 0.5 * ln2, ln2 + 0.5 * 6 * share * ln2]
    assert layer(torch.tensor([0.0, ln2]).view(1, 1, 1, 2)).flatten().tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_agrees_with_torchs_own_without_scale(layout):
    layer = SelfAttention(16)
    nn.init.constant_(layer.gamma, 0.7)
    x = torch.randn(2, 16, 5, 4)
    flat = x.flatten(2).transpose(1, 2)
    queries, keys, values = (flat @ each.weight.T for each in (layer.query, layer.key, layer.value))
    assert queries.shape == (2, 20, 2)
    seen = F.scaled_dot_product_attention(queries, keys, values, scale=1.0) @ layer.out.weight.T
    expected = x + 0.7 * seen.transpose(1, 2).reshape(x.shape)
    output = layer(x.to(memory_format=layout))
    assert torch.allclose(output, expected, atol=1e-5)
    assert output.is_contiguous(memory_format=layout)


def test_second_derivatives():
    layer = SelfAttention(2).double()
    nn.init.constant_(layer.gamma, 0.7)
    x = torch.randn(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, (x,))


def test_samples_do_not_see_each_other():
    layer = SelfAttention(4)
    nn.init.ones_(layer.gamma)
    x = torch.randn(3, 4, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[1].square().sum(), x)
    assert gradient[1].any()
    assert not gradient[[0, 2]].any()

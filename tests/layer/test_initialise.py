import torch
from torch import nn

from fmcgan.layer.initialise import initialise


def test_linear_maps_are_drawn_in_order_and_biases_become_0():
    inner = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Embedding(4, 2))
    network = nn.Sequential(nn.Linear(2, 3), inner, nn.BatchNorm2d(2), nn.ConvTranspose2d(2, 1, 2, bias=False))
    embedding, drawn = inner[1].weight.clone(), []
    initialise(network, lambda weight: drawn.append(nn.init.constant_(weight, 0.5 + len(drawn))))
    linear, _, norm, transposed = network
    assert all(one is two for one, two in zip(drawn, (linear.weight, inner[0].weight, transposed.weight), strict=True))
    assert [each.unique().item() for each in drawn] == [0.5, 1.5, 2.5]
    assert not linear.bias.any()
    assert not inner[0].bias.any()
    assert torch.equal(inner[1].weight, embedding)
    assert norm.weight.eq(1).all()

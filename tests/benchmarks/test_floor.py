from types import SimpleNamespace

import torch
from torch import nn

from benchmarks.floor import flops_of, step_flops, weight_traffic


def test_operations_of_a_linear_layer():
    layer, inputs = nn.Linear(3, 5), torch.randn(7, 3, requires_grad=True)
    forward = 2 * 7 * 3 * 5
    assert flops_of(lambda: layer(inputs)) == forward
    assert flops_of(lambda: layer(inputs).sum().backward()) == 3 * forward  # gradients of the weight and the input


def test_operations_of_a_step(tiny):
    setting = tiny("loss=non_saturating")
    gan = setting.gan("network=mlp")
    generator, discriminator = (
        sum(
            2 * setting.batch_size * m.in_features * m.out_features
            for m in player.modules()
            if isinstance(m, nn.Linear)
        )
        for player in (gan.generator, gan.discriminator)
    )
    # G: forward, backward by weights and inputs. D: the same for real and fake; then frozen, forward and by inputs.
    assert step_flops(setting, "mlp") == 3 * generator + (2 * 3 + 2) * discriminator


def test_weight_traffic():
    gan = SimpleNamespace(generator=nn.Linear(2, 3, bias=False), discriminator=nn.Linear(4, 1, bias=False))
    assert weight_traffic(gan) == 4 * (9 * (6 + 4) + 3 * 6)

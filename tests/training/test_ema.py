import pytest
from torch import nn

from fmcgan.training.ema import EMA


def pair(half_life, ramp_up=1e9):
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.zeros_(network[0].weight)
    return network, EMA(network, half_life, ramp_up)


def test_after_one_half_life_the_average_is_half_way():
    network, ema = pair(half_life=1000)
    nn.init.constant_(network[0].weight, 8.0)
    ema.update(network, images=1000, images_seen=1000)
    assert ema.generator[0].weight.item() == pytest.approx(4.0)
    ema.update(network, images=1000, images_seen=2000)
    assert ema.generator[0].weight.item() == pytest.approx(6.0)


def test_the_batch_size_does_not_change_the_half_life():
    network, ema = pair(half_life=1000)
    nn.init.constant_(network[0].weight, 8.0)
    for step in range(100):
        ema.update(network, images=10, images_seen=10 * (step + 1))
    assert ema.generator[0].weight.item() == pytest.approx(4.0, rel=1e-5)


def test_buffers_are_copied():
    network, ema = pair(half_life=1_000_000)
    network[1].running_mean.fill_(5.0)
    network[1].num_batches_tracked.fill_(7)
    ema.update(network, images=1, images_seen=1)
    assert ema.generator[1].running_mean.item() == 5.0
    assert ema.generator[1].num_batches_tracked.item() == 7


def test_ramp_up_bounds_the_half_life_by_a_share_of_the_images_seen():
    _, ema = pair(half_life=1000, ramp_up=0.05)
    assert ema.decay(images=100, images_seen=2000) == pytest.approx(0.5)  # half-life 100
    assert ema.decay(images=100, images_seen=10**9) == pytest.approx(0.5**0.1)


def test_a_factor_is_on_the_half_life_and_not_on_the_ramp_up():
    network, ema = pair(half_life=1000, ramp_up=0.05)
    assert ema.decay(images=100, images_seen=10**9, factor=0.5) == pytest.approx(0.5**0.2)  # half-life 500
    assert ema.decay(images=100, images_seen=4000, factor=0.5) == pytest.approx(0.5**0.5)  # half-life 200: the ramp-up
    assert ema.decay(images=100, images_seen=10**9, factor=0.0) == 0.0
    nn.init.constant_(network[0].weight, 8.0)
    ema.update(network, images=500, images_seen=10**9, factor=0.5)
    assert ema.generator[0].weight.item() == pytest.approx(4.0)


def test_never_trains():
    network, ema = pair(half_life=10)
    assert not ema.train().generator.training
    assert not any(parameter.requires_grad for parameter in ema.parameters())
    assert ema.generator[0].weight is not network[0].weight

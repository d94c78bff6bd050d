import pytest
import torch
from torch import nn

from fmcgan.app.errors import InvalidValueError
from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.training.ema import EMA, measure_statistics


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


def test_no_ramp_up_bounds_nothing_and_0_is_refused():
    _, ema = pair(half_life=1000, ramp_up=None)
    assert ema.decay(images=1000, images_seen=10) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="ramp_up"):
        pair(half_life=1000, ramp_up=0)


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


class Tiny(nn.Module):
    """Latents scaled by a number, then normalised; counts its calls."""

    latent_dim, num_classes = 3, 10

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm1d(3)
        self.labels = []

    def forward(self, latents, labels):
        self.labels.append(labels)
        return self.norm(self.scale * latents)


def test_statistics_are_those_of_the_weights_they_are_used_with():
    network = Tiny()
    ema = EMA(network, half_life=0, ramp_up=1e9)
    network.norm.running_var.fill_(77.0)
    with torch.no_grad():
        network.scale.fill_(2.0)
    ema.update(network, images=1, images_seen=1)
    average = ema.calibrated()
    assert average.scale.item() == 2.0
    assert torch.allclose(average.norm.running_var, torch.full((3,), 4.0), rtol=0.15)  # of 2 z with z from N(0, 1)
    assert torch.allclose(average.norm.running_mean, torch.zeros(3), atol=0.2)
    assert network.norm.running_var[0] == 77.0  # the trained generator's own stay
    calls = len(average.labels)
    ema.calibrated()
    assert len(average.labels) == calls  # nothing has moved since
    assert torch.bincount(torch.cat(average.labels)).tolist() == [200] * 10
    ema.update(network, images=1, images_seen=2)
    assert ema.state_dict()["generator.norm.running_var"][0] == pytest.approx(4.0, rel=0.15)  # saved settled


def test_measuring_statistics_is_exact_and_leaves_all_else():
    network = Tiny().eval()
    network.norm.momentum = 0.3
    before = torch.get_rng_state()
    measure_statistics(network)
    draw = torch.Generator().manual_seed(0)
    batches = [torch.randn(500, 3, generator=draw) for _ in range(4)]
    assert torch.allclose(network.norm.running_mean, torch.stack([b.mean(0) for b in batches]).mean(0), atol=1e-6)
    assert torch.allclose(network.norm.running_var, torch.stack([b.var(0) for b in batches]).mean(0), atol=1e-5)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.norm.momentum == 0.3
    assert not network.norm.training


def test_labels_are_those_of_the_generator():
    network = Tiny()
    network.num_classes = 4
    measure_statistics(network)
    assert torch.bincount(torch.cat(network.labels)).tolist() == [500] * 4


def test_a_generator_with_normalisation_must_know_its_classes():
    network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    with pytest.raises(InvalidValueError, match=r"must have an attribute num_classes; Sequential has none"):
        measure_statistics(network)


def test_a_generator_without_normalisation_is_left_alone():
    measure_statistics(nn.Linear(1, 1))  # would fail if it were called: it takes one argument


def test_spectral_norms_are_those_of_the_averaged_weights():
    torch.manual_seed(0)
    network = nn.Linear(12, 7)
    normalise_spectrally(network)
    ema = EMA(network, half_life=1000, ramp_up=None)
    for images_seen in (1000, 2000):
        nn.init.normal_(network.parametrizations.weight.original)
        network(torch.zeros(1, 12))
        ema.update(network, images=1000, images_seen=images_seen)
    assert torch.linalg.svdvals(ema.calibrated().weight)[0].item() == pytest.approx(1, abs=0.01)

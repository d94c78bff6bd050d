import pytest
import torch

from fmcgan.metric.image_set import interval, resample_counts
from fmcgan.metric.value import mean_interval, share_interval

LABELS = torch.tensor([0, 0, 0, 5, 5, 9])


def test_every_resample_keeps_the_sizes_of_the_classes():
    counts = resample_counts(LABELS, bootstrap_samples=50)
    assert counts.shape == (50, 6)
    for members, size in ((LABELS == 0, 3), (LABELS == 5, 2), (LABELS == 9, 1)):
        assert counts[:, members].sum(dim=1).tolist() == [size] * 50
    assert counts.unique(dim=0).shape[0] > 10


def test_resamples_repeat_and_leave_the_global_random_state():
    before = torch.get_rng_state()
    assert torch.equal(resample_counts(LABELS, 5), resample_counts(LABELS, 5))
    assert not torch.equal(resample_counts(LABELS, 5), resample_counts(LABELS, 5, seed=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_interval_lies_around_the_score_with_the_spread_of_the_replicates():
    bootstrap_samples = torch.arange(101.0) + 1000  # median 1050, 2.5 % at 1002.5, 97.5 % at 1097.5: biased against 10
    assert interval(10.0, bootstrap_samples) == pytest.approx((10 - 47.5, 10 + 47.5))
    assert interval(10.0, bootstrap_samples, lowest=0) == pytest.approx((0, 57.5))
    assert interval(10.0, bootstrap_samples, highest=50) == pytest.approx((-37.5, 50))


@pytest.mark.parametrize("bootstrap_samples", [0, 1])
def test_too_few_replicates_give_no_interval(bootstrap_samples):
    assert interval(1.0, torch.ones(bootstrap_samples)) is None
    assert mean_interval(torch.ones(6), resample_counts(LABELS, bootstrap_samples)) is None
    assert share_interval(torch.ones(6), resample_counts(LABELS, bootstrap_samples)) is None


def test_the_interval_of_a_mean_stays_within_the_values():
    share = (torch.arange(100) < 99).float()
    low, high = mean_interval(share, resample_counts(torch.zeros(100, dtype=torch.int64), 200))
    assert 0.9 < low < 0.99 < high == 1.0


def test_the_interval_of_a_share_is_wilsons():
    counts = resample_counts(LABELS, 2)
    assert share_interval((torch.arange(100) < 30).float(), counts) == pytest.approx((0.21895, 0.39585), abs=1e-5)
    low, high = share_interval(torch.zeros(1000), counts)  # not hit once in a thousand: up to z² / (n + z²)
    assert (low, high) == (0.0, pytest.approx(3.8415 / 1003.8415, rel=1e-4))
    assert share_interval(torch.ones(1000), counts)[1] == 1.0


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation():
    values = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 3
    low, high = mean_interval(values, resample_counts(torch.zeros(2000, dtype=torch.int64), 1000))
    half = 1.96 * 3 / 2000**0.5
    assert high - values.mean().item() == pytest.approx(half, rel=0.15)
    assert values.mean().item() - low == pytest.approx(half, rel=0.15)

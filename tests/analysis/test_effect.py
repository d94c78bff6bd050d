"""Differences on the common scale, by hand and by what they promise."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from fmcgan.analysis.effect import (
    UNKNOWN,
    Difference,
    Effect,
    difference_by_auc,
    difference_of_means,
    difference_of_shares,
    difference_of_spreads,
    share_gap_text,
    share_text,
)
from fmcgan.metric.value import wilson_interval


def normal(n, mean=0.0, spread=1.0, seed=0):
    return np.random.default_rng(seed).normal(mean, spread, n)


def test_a_share_lies_at_twice_the_arcsine_of_its_root():
    found = difference_of_shares(50, 100, 25, 100)  # asin √0.5 = π/4 and asin √0.25 = π/6
    assert found.size == pytest.approx(2 * (math.pi / 4 - math.pi / 6))
    assert found.error == pytest.approx(math.sqrt(1 / 100 + 1 / 100))
    assert found.p_value == pytest.approx(stats.fisher_exact([[50, 50], [25, 75]]).pvalue)


def test_no_and_all_are_as_far_apart_as_shares_can_be():
    assert difference_of_shares(10, 10, 0, 10).size == pytest.approx(math.pi)
    assert difference_of_shares(0, 0, 1, 10) is UNKNOWN


def test_means_are_measured_in_standard_deviations_of_the_real_images():
    real = np.array([1.0, 3.0] * 50)  # standard deviation √(100/99)
    found = difference_of_means(real + 1.5, real)
    assert found.size == pytest.approx(1.5 / math.sqrt(100 / 99))
    assert found.p_value < 1e-6


def test_spreads_are_compared_by_the_logarithm_of_their_ratio():
    real = normal(4000)
    found = difference_of_spreads(real * 2, real)
    assert found.size == pytest.approx(math.sqrt(2) * math.log(2))
    # Of normal values the size has the variance of a difference of means: 1/N + 1/M.
    assert found.error == pytest.approx(math.sqrt(2 / 4000), rel=0.1)


def test_the_area_under_the_curve_of_two_normal_sets_gives_their_distance():
    found, area, bounds = difference_by_auc(normal(4000, 1.0, seed=1), normal(4000, seed=2))
    assert found.size == pytest.approx(1.0, abs=0.06)
    assert area == pytest.approx(stats.norm.cdf(1 / math.sqrt(2)), abs=0.02)
    assert bounds[0] < area < bounds[1]


def test_a_perfect_detector_is_finite():
    found, area, _ = difference_by_auc([3.0, 4.0, 5.0], [0.0, 1.0, 2.0])
    assert area == 1
    assert math.isfinite(found.size)
    assert found.size > 1


@pytest.mark.parametrize("compare", [difference_of_means, difference_of_spreads])
def test_intervals_hold_no_difference_as_often_as_they_promise(compare):
    held = [compare(normal(80, seed=2 * i), normal(400, seed=2 * i + 1)).at_least == 0 for i in range(400)]
    assert 0.92 < np.mean(held) < 0.99


@pytest.mark.parametrize("compare", [difference_of_means, difference_of_spreads])
def test_equal_or_missing_values_are_no_surprise(compare):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compare([1.0, math.nan], [1.0, 2.0]) is UNKNOWN
        assert compare(np.ones(50), np.ones(50)) is UNKNOWN
        assert math.isfinite(compare(np.full(50, 0.1) + 1e-12 * np.arange(50), normal(50)).size)


def test_few_samples_that_happen_to_be_alike_are_not_surer_than_real_ones():
    """Ten heights of 28 pixels, where one real image in twenty is lower."""
    real = np.where(np.arange(1000) % 20 == 0, 20.0, 28.0)
    assert difference_of_means(np.full(10, 28.0) + np.linspace(0, 1e-9, 10), real).p_value > 0.2


def test_what_lies_within_the_interval():
    found = Difference(-0.5, 0.1, 1e-6)
    assert found.at_least == pytest.approx(0.5 - 1.959964 * 0.1)
    assert found.at_most == pytest.approx(0.5 + 1.959964 * 0.1)
    assert Difference(0.1, 0.1, 0.3).at_least == 0
    assert found.one_sided.p_value == 1
    assert Difference(0.5, 0.1, 1e-6).one_sided.p_value == 1e-6


def test_an_effect_must_be_larger_than_the_floor_can_be():
    def effect(size, floor):
        return Effect("a/b", "A.", Difference(size, 0.01, 0.0), Difference(floor, 0.05, 0.5))

    assert effect(0.5, 0.1).beyond_floor
    assert not effect(0.2, 0.15).beyond_floor
    assert not Effect("a/b", "A.", Difference(9.0, 0.01, 0.0), UNKNOWN).beyond_floor


def test_shares_in_words():
    low, high = wilson_interval(5, 100)  # Wilson: (0.05 + z²/200 ± z √(0.0475/100 + z²/40000)) / (1 + z²/100)
    assert (low, high) == pytest.approx((0.02154, 0.11175), abs=1e-4)
    assert share_text(5, 100) == "5.0 % [2.2, 11.2]"
    assert share_text(50, 100) == "50 % [40, 60]"
    assert share_text(9983, 10_000) == "99.8 % [99.7, 99.9]"  # not all of them


def test_the_gap_of_two_shares_in_words():
    assert share_gap_text(56, 70, 48, 80) == "20 points [5, 33]"  # Newcombe 1998, table II (a): 0.0524 to 0.3339
    assert share_gap_text(3, 100, 5, 100).startswith("-2.0 points [")
    assert share_gap_text(0, 0, 0, 0) == "0.0 points [-100.0, 100.0]"


def test_a_standard_deviation_counts_as_at_least_so_much():
    real = np.array([27.9, 28.1] * 50)  # a standard deviation of about 0.1
    assert difference_of_means(real - 0.5, real).size < -4
    assert difference_of_means(real - 0.5, real, least_spread=1.0).size == pytest.approx(-0.5)
    wider = 28 + 3 * (real - 28)
    assert difference_of_spreads(wider, real).size == pytest.approx(math.sqrt(2) * math.log(3))
    assert difference_of_spreads(wider, real, least_spread=1.0).size == 0


def test_a_share_of_clumped_images_is_less_sure():
    assert share_text(12, 1440, widening=1.2).partition(" [")[2] == share_text(8, 1000).partition(" [")[2]

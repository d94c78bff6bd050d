"""Intervals over seeds and test images: values by hand, and how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy.stats import norm, t, ttest_1samp

from fmcgan.downstream.crossed import calibration_terms, crossed_mean


def test_without_a_spread_of_the_images_it_is_the_t_interval_over_the_seeds():
    """Rows 1, 3, 8 with the same noise, of mean 0, in other orders: columns have equal means."""
    noise = np.array([[1.0, 0, -1], [0, -1, 1], [-1, 1, 0]])
    values = np.array([1.0, 3, 8])[:, None] + noise
    expected = ttest_1samp([1.0, 3, 8], 0).confidence_interval(0.95)
    assert crossed_mean(values) == pytest.approx((4, *expected))
    assert crossed_mean(values, lowest=0, highest=9) == pytest.approx((4, 0, 9))


def test_a_table_of_two_by_three_by_hand():
    """Row means 1 and 2, column means 0.5, 1, 3: mean squares 1.5 (seeds), 3.5 (images) and 0.5 (both together)."""
    values = np.array([[0.0, 1, 2], [1, 1, 4]])
    mean, between_seeds, between_images, interaction = 1.5, 3 * 0.5, 2 * 1.75, 0.5
    spread = between_seeds + between_images - interaction
    freedom = spread**2 / between_seeds**2
    half = max(t.ppf(0.975, freedom) * math.sqrt(spread / 6), norm.ppf(0.975) * math.sqrt(between_images / 6))
    assert crossed_mean(values) == pytest.approx((mean, mean - half, mean + half))


def test_seeds_that_agree_by_chance_do_not_make_it_certain():
    """Every seed has a mean of 0.5, but each image is a coin toss."""
    half = 1.96 * math.sqrt(1 / 4)  # an interaction of mean square 1, over four values
    assert crossed_mean(np.array([[1.0, 0], [0, 1]])) == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=1e-3)


def test_equal_values_have_no_width():
    assert crossed_mean(np.full((3, 5), 0.25)) == (0.25, 0.25, 0.25)
    assert crossed_mean(np.zeros((2, 1))) == (0, 0, 0)
    assert [crossed_mean(np.full((2, 2), value)).sign for value in (0.5, 0.0, -0.5)] == [1, 0, -1]


@pytest.mark.parametrize(("of_seeds", "of_images", "of_both"), [(0, 0, 1), (0.1, 0, 1), (0.02, 1, 0.5), (1, 1, 1)])
def test_it_holds_the_truth_as_often_as_it_says(of_seeds, of_images, of_both):
    rng = np.random.default_rng(0)
    trials, seeds, images = 1000, 5, 60
    inside = 0
    for _ in range(trials):
        values = of_seeds * rng.normal(size=(seeds, 1)) + of_images * rng.normal(size=(1, images))
        _, low, high = crossed_mean(values + of_both * rng.normal(size=(seeds, images)))
        inside += low <= 0 <= high
    assert 0.93 <= inside / trials <= 0.995


def test_the_mean_of_the_terms_is_the_calibration_error():
    """Two bins: 1.8 stated for 1 right of 2, and 1.2 stated for 2 right of 2: (0.8 + 0.8) / 4."""
    confidence = np.array([0.9, 0.91, 0.6, 0.59])
    terms = calibration_terms(confidence, np.array([True, False, True, True]))
    assert terms == pytest.approx([-0.1, 0.91, 0.4, 0.41])
    assert terms.mean() == pytest.approx((0.81 + 0.81) / 4)


def test_a_classifier_that_is_as_often_right_as_it_states_is_calibrated():
    confidence = np.full(100, 0.7)
    assert calibration_terms(confidence, np.arange(100) < 70).mean() == pytest.approx(0)
    assert calibration_terms(np.ones(4), np.zeros(4, dtype=bool)).tolist() == [1, 1, 1, 1]
    assert calibration_terms(np.array([0.0, 1.0]), np.array([False, True])).tolist() == [0, 0]

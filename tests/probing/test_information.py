import math

import numpy as np
import pytest

from fmcgan.probing.information import attribute_share, difference_of, entropy, label_share

RANDOM = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 500)
BINS = RANDOM.integers(4, size=2000)


def test_entropy_by_hand():
    assert entropy(np.array([1.0, 1.0, 2.0])) == pytest.approx(1.5 * math.log(2))
    assert entropy(np.array([[3.0, 0.0]])) == 0


def test_a_verdict_that_is_the_label_or_the_attribute():
    assert label_share(LABELS, LABELS, 4).value == pytest.approx(1, abs=0.01)
    assert attribute_share(LABELS, LABELS, BINS, 4).value == 0
    assert attribute_share(BINS, LABELS, BINS, 4).value == pytest.approx(1, abs=0.02)
    assert label_share(BINS, LABELS, 4).value < 0.01


def test_the_parts_add_up_to_the_whole():
    """The verdict is the label for the first half of the images and the attribute for the others, by a known coin."""
    coin = RANDOM.integers(2, size=2000).astype(bool)
    verdicts = np.where(coin, LABELS, BINS)
    of_label, of_attribute = label_share(verdicts, LABELS, 4), attribute_share(verdicts, LABELS, BINS, 4)
    # p(v | y, a): 1/2 + 1/2 [y = a]; so H(V | Y, A) = 3/4 ln 2. p(v | y): 5/8 for v = y, 1/8 for each other.
    given_label = -(5 / 8 * math.log(5 / 8) + 3 / 8 * math.log(1 / 8))
    whole = math.log(4)
    assert of_label.value == pytest.approx(1 - given_label / whole, abs=0.02)
    assert of_attribute.value == pytest.approx((given_label - 0.75 * math.log(2)) / whole, abs=0.02)
    low, high = of_attribute.interval
    assert low < of_attribute.value < high


def test_independent_verdicts_have_no_share_but_for_chance():
    verdicts = RANDOM.integers(4, size=2000)
    assert label_share(verdicts, LABELS, 4).value < 0.005
    assert attribute_share(verdicts, LABELS, BINS, 4).value < 0.01
    constant = np.zeros(2000, dtype=np.int64)
    assert label_share(constant, LABELS, 4).value == attribute_share(constant, LABELS, BINS, 4).value == 0


def test_differences_are_on_cohens_scale():
    some, none = attribute_share(BINS, LABELS, BINS, 4), attribute_share(LABELS, LABELS, BINS, 4)
    found = difference_of(some, none)
    assert found.size == pytest.approx(math.pi, abs=0.3)
    assert found.p_value < 1e-6
    assert difference_of(none, none).p_value == 1

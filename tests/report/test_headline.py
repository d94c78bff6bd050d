import math

import pytest

from fmcgan.analysis.effect import Difference, Effect
from fmcgan.analysis.findings import Finding, adjust_effects
from fmcgan.report.analysis_page import cards, scale

FD = {"better": "lower", "title": "Fréchet distance", "summary": "A distance.", "range": [0, None]}


def test_cards_show_what_was_measured(small_report):
    chosen = cards(small_report.sections["scores"].values)
    assert [card.name for card in chosen] == ["fd_classifier_10k_test", "label_agreement_classifier_10k"]
    assert chosen[0].gap == "0.475 above real images"
    assert chosen[0].interval == (0.4, 0.6)
    assert chosen[0].n == 40
    assert chosen[1].gap == "3.1 points below real images"
    assert chosen[1].is_share
    assert cards({}) == []


def test_a_card_states_the_excess_over_real_images_and_never_a_ratio():
    known = (0.0, "3 above real images"), (-0.5, "3.5 above real images"), (3.0, "equal to real images")
    for floor, gap in ((None, ""), *known):
        (card,) = cards({"fd_x": {"value": 3.0, "floor": floor, **FD}})
        assert card.gap == gap
    # The same weights with 2,000 and with 10,000 samples: the ratios are 3 and 11, the excess is the same.
    few, many = (cards({"fd_x": {"value": 0.25 + floor, "floor": floor, **FD}})[0] for floor in (0.125, 0.025))
    assert few.gap == many.gap == "0.25 above real images"


def found(size, error, floor_size=0.0, floor_error=0.0):
    effect = Effect("a/b", "A.", Difference(size, error, 0.0), Difference(floor_size, floor_error, 1.0))
    return [Finding(tuple(adjust_effects([effect])), 0)]


def test_the_ruler_is_one_long_at_least():
    bars = scale(found(-0.5, 0.1, 0.1))
    bar = bars.bars["a/b"]
    assert bar.size == pytest.approx(50)
    assert bar.low == pytest.approx(50 - 19.59964)
    assert bar.high == pytest.approx(50 + 19.59964)
    assert bar.floor == pytest.approx(10)
    assert bar.words == "size 0.50 [0.30, 0.70], floor at most 0.10"
    assert bars.marks == [(0.2, 20), (0.4, 40), (0.6, 60), (0.8, 80), (1.0, 100)]


def test_the_ruler_holds_the_largest_and_what_is_unknown():
    bars = scale(found(4.0, 0.0, 0.0, math.inf))
    assert bars.bars["a/b"].size == 100
    assert bars.bars["a/b"].floor == 100
    assert bars.marks == [(1, 25), (2, 50), (3, 75), (4, 100)]

import math

import pytest

from fmcgan.analysis.effect import Difference, Effect
from fmcgan.analysis.findings import adjust_effects
from fmcgan.report.analysis_page import cards, scale

FD = {"better": "lower", "title": "Fréchet distance", "summary": "A distance.", "range": [0, None]}


def test_cards_show_what_was_measured(small_report):
    chosen = cards(small_report.sections["scores"].values)
    assert [card.name for card in chosen] == ["fd_classifier_10k_test", "label_agreement_classifier_10k"]
    assert chosen[0].times == "20 times that of real images"
    assert chosen[0].interval == (0.4, 0.6)
    assert chosen[1].times == ""
    assert chosen[1].is_share
    assert cards({}) == []


def test_cards_of_distances_without_a_floor():
    for floor in (None, 0.0, -0.5):
        (card,) = cards({"fd_x": {"value": 3.0, "floor": floor, **FD}})
        assert card.times == ""
    (card,) = cards({"fd_x": {"value": 3.0, "floor": 1.25, **FD}})
    assert card.times == "2.4 times that of real images"


def judged(size, error, floor_size=0.0, floor_error=0.0):
    return adjust_effects([Effect("a/b", "A.", Difference(size, error, 0.0), Difference(floor_size, floor_error, 1.0))])


def test_the_ruler_is_one_long_at_least():
    bars = scale(judged(-0.5, 0.1, 0.1))
    bar = bars.bars["a/b"]
    assert bar.size == pytest.approx(50)
    assert bar.low == pytest.approx(50 - 19.59964)
    assert bar.high == pytest.approx(50 + 19.59964)
    assert bar.floor == pytest.approx(10)
    assert bar.words == "size 0.50 [0.30, 0.70], floor at most 0.10"
    assert bars.marks == [(0.2, 20), (0.4, 40), (0.6, 60), (0.8, 80), (1.0, 100)]


def test_the_ruler_holds_the_largest_and_what_is_unknown():
    bars = scale(judged(4.0, 0.0, 0.0, math.inf))
    assert bars.bars["a/b"].size == 100
    assert bars.bars["a/b"].floor == 100
    assert bars.marks == [(1, 25), (2, 50), (3, 75), (4, 100)]

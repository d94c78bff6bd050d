"""Which effects are told."""

import pytest

from fmcgan.analysis.effect import Difference, Effect
from fmcgan.analysis.findings import adjust_effects, select_findings


def effect(key, size=1.0, p_value=1e-9, error=0.05, floor=0.0):
    return Effect(key, f"{key}.", Difference(size, error, p_value), Difference(floor, 0.05, 0.5))


def told(*effects, **choice):
    return [each.effect.key for each in select_findings(adjust_effects(effects), **choice)]


def test_the_largest_come_first_whatever_their_sign():
    assert told(effect("a/1", 0.5), effect("b/1", -2.0), effect("c/1", 1.0)) == ["b/1", "c/1", "a/1"]


def test_a_large_effect_that_is_hardly_known_stands_behind_a_sure_one():
    assert told(effect("a/1", 3.0, error=1.2), effect("b/1", 1.5)) == ["b/1", "a/1"]


def test_no_more_than_a_few_of_one_section():
    many = [effect(f"a/{i}", 2.0 + i) for i in range(9)]
    others = [effect(f"b/{i}", 0.9 - i / 10) for i in range(3)]
    assert told(*many, *others, most=6) == ["a/8", "a/7", "a/6", "b/0", "b/1", "b/2"]
    assert told(*many, *others, most=8)[:6] == ["a/8", "a/7", "a/6", "a/5", "a/4", "b/0"]  # all of b, then more of a
    assert told(*many, most=5, max_per_section=9) == ["a/8", "a/7", "a/6", "a/5", "a/4"]


def test_a_difference_that_is_sure_but_tiny_is_not_told():
    assert told(effect("a/1", 0.09, error=0.001), effect("b/1", -0.11, error=0.001)) == ["b/1"]


def test_chance_is_not_told():
    """Of 1,000 comparisons without any difference ten have a p-value below 0.01; none is a finding."""
    by_chance = [effect(f"a/{i}", 1.0, p_value=(i + 1) / 1001) for i in range(1000)]
    assert sum(each.difference.p_value < 0.01 for each in by_chance) == 10
    assert told(*by_chance) == []


def test_what_real_images_show_too_is_not_told():
    assert told(effect("a/1", 0.5, floor=0.5), effect("b/1", 0.5)) == ["b/1"]


def test_nothing_and_twice_the_same():
    assert adjust_effects([]) == []
    with pytest.raises(ValueError, match="a/1"):
        adjust_effects([effect("a/1"), effect("a/1")])

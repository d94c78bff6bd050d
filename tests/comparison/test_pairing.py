import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

from fmcgan.comparison.grouping import Group, letter
from fmcgan.comparison.runs import Run
from fmcgan.comparison.statistics import UNKNOWN, Protocol, Table, best_with_others, every_pair, pair

LOWER = Protocol("lower", (10000,), (0.0,))
HIGHER = Protocol("higher", (10000,), ())
REAL = Protocol("real", (10000,), (10.0,))
T_975_2 = 4.302653  # Student's t with two degrees of freedom, from a printed table


def measured(*recipes, protocol=UNKNOWN):
    """The table of groups, from a list of (seed, value of the score) a recipe; None: the score is missing."""
    groups = [
        Group(f"x={place}", tuple(Run(Path(str(n)), (), seed, (), None) for n, (seed, _) in enumerate(runs)))
        for place, runs in enumerate(recipes)
    ]
    rows = tuple(tuple({} if value is None else {"score/s": value} for _, value in runs) for runs in recipes)
    return Table("end", ("score/s",), groups, rows, {"s": protocol})


def paired(a, b, protocol=LOWER):
    """Pairs two recipes, given as lists of values of the seeds 0, 1, ... or as lists of (seed, value)."""
    given = [runs if runs and isinstance(runs[0], tuple) else list(enumerate(runs)) for runs in (a, b)]
    return pair(measured(*given, protocol=protocol), "s", 0, 1)


def test_interval_by_hand():
    pairing = paired([10.0, 12.0, 11.0], [13.0, 17.0, 15.0])
    # differences -3, -5, -4: mean -4, variance ((1 + 1 + 0) / 2) = 1, standard error 1 / sqrt(3)
    assert (pairing.difference.mean, pairing.difference.std, pairing.difference.n) == (-4.0, 1.0, 3)
    half = T_975_2 / 3**0.5
    assert pairing.difference.interval == pytest.approx((-4 - half, -4 + half), rel=1e-6)
    assert pairing.ratio == 4.0
    assert pairing.is_significant
    assert pairing.ahead == 0
    assert pairing.verdict(letter) == "A is significantly lower (better)"


def test_two_pairs_need_a_difference_of_nine_standard_deviations():
    # The half-width is 12.7062 std / sqrt(2) = 8.98 std; d and d + 2 have the standard deviation sqrt(2).
    assert not paired([11.0, 13.0], [0.0, 0.0]).is_significant  # mean 12 < 12.706
    assert paired([12.0, 14.0], [0.0, 0.0]).is_significant  # mean 13 > 12.706


def test_agrees_with_the_paired_t_test():
    random = np.random.default_rng(0)
    verdicts = []
    for _ in range(200):
        n = int(random.integers(2, 8))
        a, b = random.normal(0.8, 1, n), random.normal(0, 1, n)
        reference = ttest_rel(a, b)
        pairing = paired(a.tolist(), b.tolist())
        assert pairing.is_significant == (reference.pvalue < 0.05)
        expected = reference.confidence_interval(0.95)
        assert pairing.difference.interval == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)
        assert pairing.ratio * n**0.5 == pytest.approx(abs(reference.statistic), rel=1e-9)
        verdicts.append(pairing.is_significant)
    assert 20 < sum(verdicts) < 180  # both outcomes were put to the test


def test_what_a_seed_does_to_both_falls_out():
    a, b = [1.0, 50.0, 100.0], [2.0, 51.1, 101.2]
    assert paired(a, b).is_significant
    assert not paired(a, [b[1], b[2], b[0]]).is_significant  # the same values, paired otherwise


@pytest.mark.parametrize(
    ("protocol", "a", "b", "verdict", "ahead"),
    [
        (LOWER, [5.0, 6.0, 7.0], [1.0, 2.0, 3.1], "B is significantly lower (better)", 1),
        (HIGHER, [5.0, 6.0, 7.0], [1.0, 2.0, 3.1], "A is significantly higher (better)", 0),
        (HIGHER, [1.0, 2.0, 3.1], [5.0, 6.0, 7.0], "B is significantly higher (better)", 1),
        (
            UNKNOWN,
            [5.0, 6.0, 7.0],
            [1.0, 2.0, 3.1],
            "B is significantly lower (unknown which is better)",
            None,
        ),
        (LOWER, [5.0, 6.0, 7.0], [6.0, 5.0, 7.1], "not significant with 3 pairs", 0),
        (LOWER, [5.0, 6.0], [5.0, 6.0], "equal in all 2 pairs", None),
        (LOWER, [5.0], [1.0], "one pair only: no test", 1),
        (LOWER, [(1, 5.0)], [(2, 5.0)], "no common seed", None),
        (LOWER, [(1, 5.0), (2, math.nan)], [(1, None), (2, 4.0)], "no common seed has both values", None),
    ],
)
def test_verdicts(protocol, a, b, verdict, ahead):
    pairing = paired(a, b, protocol)
    assert pairing.verdict(letter) == verdict
    assert pairing.ahead == ahead
    assert pairing.is_significant == ("significantly" in verdict)


def test_nearer_to_real_is_better_from_either_side():
    # real data reach 10: the distances are 1, 2, 1.5 and 4, 5.1, 4.5, although the values of A lie on both sides
    pairing = paired([11.0, 8.0, 11.5], [6.0, 4.9, 14.5], REAL)
    assert pairing.difference.mean == pytest.approx(-(3 + 3.1 + 3) / 3)
    assert pairing.verdict(letter) == "A is significantly nearer to real data (better)"
    assert paired([9.0, 11.0, 9.0], [11.0, 9.0, 11.0], REAL).verdict(letter) == "equal in all 3 pairs"
    assert paired([2.0, 3.0, 2.5], [9.0, 10.0, 9.6], REAL).ahead == 1  # lower, but farther


def test_real_without_a_value_of_real_data_is_not_judged():
    pairing = paired([11.0, 8.0, 11.5], [6.0, 3.0, 6.6], Protocol("real", (10,), ()))
    assert pairing.ahead is None
    assert pairing.difference.mean == pytest.approx((5 + 5 + 4.9) / 3)
    assert pairing.verdict(letter) == "B is significantly lower (unknown which is better)"


def test_only_common_seeds_with_finite_values_count():
    a = [(0, 1.0), (1, 2.0), (2, 3.0), (3, math.nan), (4, 9.0)]
    b = [(1, 4.0), (2, 6.0), (3, 1.0), (4, math.inf), (7, 5.0)]
    pairing = paired(a, b)
    assert pairing.seeds == (1, 2)
    assert pairing.values == ((2.0, 4.0), (3.0, 6.0))
    assert (pairing.difference.mean, pairing.difference.n, pairing.difference.of) == (-2.5, 2, 4)


def test_runs_of_unknown_seed_are_no_pair():
    assert paired([(None, 1.0)], [(None, 2.0)]).difference.n == 0


def test_a_repeated_seed_counts_once_with_the_mean_of_its_runs():
    pairing = paired([(0, 1.0), (0, 3.0), (0, math.nan), (1, 5.0)], [(0, 1.0), (1, 1.0)])
    assert pairing.values == ((2.0, 1.0), (5.0, 1.0))
    assert pairing.difference.n == 2


def test_equal_differences_have_no_spread():
    pairing = paired([3.0, 4.0], [1.0, 2.0])
    assert (pairing.difference.std, pairing.difference.interval, pairing.ratio) == (0.0, (2.0, 2.0), math.inf)
    assert pairing.is_significant
    equal = paired([3.0, 4.0], [3.0, 4.0])
    assert equal.difference.interval == (0.0, 0.0)
    assert math.isnan(equal.ratio)


def test_one_pair_has_no_interval():
    pairing = paired([3.0], [1.0])
    assert pairing.difference.mean == 2.0
    assert all(math.isnan(value) for value in (*pairing.difference.interval, pairing.ratio))
    assert all(math.isnan(value) for value in (*paired([], []).difference.interval, paired([], []).ratio))


@pytest.mark.parametrize(("protocol", "best"), [(LOWER, 1), (HIGHER, 2), (REAL, 3), (UNKNOWN, 0)])
def test_which_pairs(protocol, best):
    table = measured([(0, 4.0)], [(0, 1.0)], [(0, 30.0)], [(0, 11.0)], protocol=protocol)
    every = every_pair(table)
    assert [(each.first, each.second) for each in every] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    with_best = best_with_others(table)
    assert [(each.first, each.second) for each in with_best] == [(best, other) for other in range(4) if other != best]
    assert len(best_with_others(measured([(0, None)], [(0, math.nan)], protocol=protocol))) == 1

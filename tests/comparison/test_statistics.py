import math
from pathlib import Path

import pytest

from fmcgan.comparison.grouping import Group
from fmcgan.comparison.results import at_budget, at_end
from fmcgan.comparison.runs import Run, read_run
from fmcgan.comparison.statistics import Outcome, Protocol, Table, outcome, ranking, spread
from fmcgan.comparison.tables import mean_and_std, number


def test_spread_by_hand():
    values = spread([1.0, 2.0, 6.0])
    assert (values.mean, values.low, values.high, values.n, values.of) == (3.0, 1.0, 6.0, 3, 3)
    assert values.std == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert (spread([5.0]).std, spread([5.0]).n) == (0.0, 1)
    with_gap = spread([1.0, math.nan, 3.0])
    assert (with_gap.mean, with_gap.n, with_gap.of) == (2.0, 2, 3)
    assert spread([math.inf]).n == 0


def test_at_end(write_run):
    measured = at_end(read_run(write_run("0", [], [], (2000, 7.0), seed=1, seconds=90.0)))
    assert (measured["images_seen"], measured["minutes"], measured["score/fd"]) == (2000, 1.5, 7.0)
    assert (measured["loss/generator"], measured["images_per_second"]) == (2.0, 2000 / 90)


def test_at_budget_takes_the_last_evaluation_within_it(write_run):
    noise = [{"images_seen": 1500, "seconds": 35.0, "loss/generator": 77.0}]
    run = read_run(write_run("0", [], [(1000, 30.0, 9.0), (2000, 60.0, 7.0)], (2000, 7.0), rows=noise))
    for clock, budget in (("images_seen", 1904), ("images_seen", 1000), ("seconds", 57.1), ("seconds", 30.0)):
        measured = at_budget(run, clock, budget)
        assert (measured["images_seen"], measured["minutes"], measured["score/fd"]) == (1000, 0.5, 9.0)
        assert measured["loss/generator"] == 10.0  # of the moment of the evaluation, not of row 1500
    assert at_budget(run, "images_seen", 2000)["score/fd"] == 7.0


def test_at_budget_without_an_evaluation(write_run):
    early = [{"images_seen": 500, "seconds": 15.0, "loss/generator": 3.0}]
    run = read_run(write_run("0", [], [(1000, 30.0, 9.0)], (1000, 9.0), rows=early))
    assert at_budget(run, "images_seen", 600) == {"images_seen": 500, "minutes": 0.25, "loss/generator": 3.0}
    assert at_budget(run, "images_seen", 400) == {}


def table_of(groups, better, floor=()):
    """Values of one metric, by group and seed."""
    folder = Path("a")
    runs = [[Run(folder, (), seed, (), None) for seed, _ in enumerate(values)] for values in groups]
    rows = tuple(tuple({"score/m": value} for value in values) for values in groups)
    made = [Group(f"{index}", tuple(each)) for index, each in enumerate(runs)]
    return Table("end", ("score/m",), made, rows, {"m": Protocol(better, (100,), floor)})


@pytest.mark.parametrize(
    ("groups", "better", "expected"),
    [
        ([[1.0, 1.1, 1.2], [2.0, 2.2, 2.1]], "lower", Outcome("win", (0,))),
        ([[1.0, 1.1, 1.2], [2.0, 2.2, 2.1]], "higher", Outcome("win", (1,))),
        ([[1.0, 2.0, 3.0], [2.0, 1.5, 3.1]], "lower", Outcome("tie", (0, 1))),  # -1, 0.5, -0.1
        ([[1.0, 2.0], [1.0, 2.0]], "lower", Outcome("tie", (0, 1))),  # equal in all pairs
        ([[5.0, 5.1, 5.2], [1.0, 2.0, 3.0], [2.0, 1.5, 3.1]], "lower", Outcome("tie", (1, 2))),  # the third group loses
        ([[9.0, 9.1], [2.0, 2.1], [5.0, 5.1]], "lower", Outcome("win", (1,))),
        ([[1.0], [2.0]], "lower", Outcome("untested", (0, 1))),
        ([[1.0, math.nan], [2.0, 2.0]], "higher", Outcome("untested", (1, 0))),
        ([[1.0, 1.1], [math.nan, math.nan]], "lower", Outcome("unknown")),
        ([[1.0, 1.1], [2.0, 2.1]], "", Outcome("unknown")),
        ([[1.0, 1.1]], "lower", Outcome("unknown")),
    ],
)
def test_planted_winners_and_ties(groups, better, expected):
    assert outcome(table_of(groups, better), "m") == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([[0.2, 0.21], [0.45, 0.46]], Outcome("win", (1,))),  # 0.3, 0.29 against 0.05, 0.04 away from 0.5
        ([[0.8, 0.81], [0.45, 0.46]], Outcome("win", (1,))),  # by 0.25 and 0.27: 0.26 ± 12.7 * 0.01
        ([[0.1, 0.9, 0.5], [0.6, 0.61, 0.6]], Outcome("tie", (0, 1))),  # the mean is right by chance
    ],
)
def test_the_nearest_to_real_wins(groups, expected):
    assert outcome(table_of(groups, "real", (0.5,)), "m") == expected


def test_ranking_leaves_out_groups_without_a_value():
    spreads = [spread([4.0]), spread([math.nan]), spread([1.0]), spread([9.0])]
    assert ranking(spreads, Protocol("lower", (), ())) == [2, 0, 3]
    assert ranking(spreads, Protocol("higher", (), ())) == [3, 0, 2]
    assert ranking(spreads, Protocol("real", (), (8.0,))) == [3, 0, 2]
    assert ranking(spreads, Protocol("real", (), (3.0,))) == [0, 2, 3]


def test_numbers_have_four_digits():
    values = (0.86123, 12.3456, 1234.56, 0.0, -3.14159, math.nan, 0.00001234)
    assert [number(value) for value in values] == ["0.8612", "12.35", "1,235", "0.00", "-3.142", "—", "0.000012"]


def test_mean_and_std_texts():
    assert mean_and_std(spread([12.0, 14.0])) == "13.00 ± 1.41"
    assert mean_and_std(spread([12.0])) == "12.00"
    assert mean_and_std(spread([12.0, 14.0, math.nan])) == "13.00 ± 1.41 (2 of 3)"
    assert mean_and_std(spread([math.nan])) == "—"


def test_at_budget_allows_five_percent_above_it(write_run):
    run = read_run(write_run("0", [], [(1000, 30.0, 9.0), (2000, 60.0, 7.0)], (2000, 7.0)))
    for clock, budget in (("images_seen", 1905), ("seconds", 57.2)):  # 2000 and 60 are 4.99 % and 4.9 % above
        assert at_budget(run, clock, budget)["score/fd"] == 7.0

import re

import pytest

from fmcgan.schedule.linear import Linear


def test_a_line_between_two_levels():
    schedule = Linear(start=1.0, end=0.2, begin=1000, until=3000)
    images = (0, 1000, 1500, 2000, 2500, 3000, 10**9)
    assert [schedule(seen) for seen in images] == pytest.approx([1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2])
    assert schedule.moves


def test_both_ends_are_met_exactly():
    schedule = Linear(start=0.1, end=0.3, begin=0, until=7)  # 0.1 + (0.3 - 0.1) is not 0.3
    assert (schedule(0), schedule(7)) == (0.1, 0.3)


def test_warm_up_multiplies_by_a_line_from_0():
    level = Linear(start=2.0, end=2.0, begin=0, until=1, warm_up=100)
    assert [level(seen) for seen in (0, 25, 50, 100, 500)] == pytest.approx([0.0, 0.5, 1.0, 2.0, 2.0])
    assert level.moves
    falling = Linear(start=1.0, end=0.0, begin=0, until=400, warm_up=200)
    assert [falling(seen) for seen in (0, 100, 200, 300, 400)] == pytest.approx([0.0, 0.75 * 0.5, 0.5, 0.25, 0.0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"until": 100}, "until must be more than begin, got until=100 and begin=100"),
        ({"until": 3e5}, "until must be a whole number of at least 1, got 300000.0"),
        ({"begin": -1}, "begin must be a whole number of at least 0, got -1"),
        ({"warm_up": -1}, "warm_up must be a whole number of at least 0, got -1"),
        ({"start": "fast"}, "start must be a number, got 'fast'"),
        ({"end": float("nan")}, "end must be a number, got nan"),
    ],
)
def test_wrong_values_are_refused(bad, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Linear(**({"start": 1.0, "end": 0.0, "begin": 100, "until": 200} | bad))


def test_until_the_end_of_the_run():
    schedule = Linear(start=1.0, end=0.0, begin=0, until=None)
    with pytest.raises(RuntimeError, match="settled"):
        schedule(0)
    schedule.set_total_images(200)
    assert [schedule(seen) for seen in (0, 50, 200)] == [1.0, 0.75, 0.0]
    with pytest.raises(ValueError, match="give a number"):
        schedule.set_total_images(None)
    with pytest.raises(ValueError, match="until must be more than begin, got until=5 and begin=10"):
        Linear(start=1.0, end=0.0, begin=10, until=None).set_total_images(5)
    fixed = Linear(start=1.0, end=0.0, begin=0, until=100)
    fixed.set_total_images(200)
    assert fixed(50) == 0.5

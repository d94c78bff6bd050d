import re

import pytest

from fmcgan.schedule.linear import Linear


def test_a_line_between_two_levels():
    schedule = Linear(start_value=1.0, end_value=0.2, start_images=1000, end_images=3000)
    images = (0, 1000, 1500, 2000, 2500, 3000, 10**9)
    assert [schedule(seen) for seen in images] == pytest.approx([1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2])
    assert schedule.moves


def test_both_ends_are_met_exactly():
    schedule = Linear(start_value=0.1, end_value=0.3, start_images=0, end_images=7)  # 0.1 + (0.3 - 0.1) is not 0.3
    assert (schedule(0), schedule(7)) == (0.1, 0.3)


def test_warm_up_multiplies_by_a_line_from_0():
    level = Linear(start_value=2.0, end_value=2.0, start_images=0, end_images=1, warm_up=100)
    assert [level(seen) for seen in (0, 25, 50, 100, 500)] == pytest.approx([0.0, 0.5, 1.0, 2.0, 2.0])
    assert level.moves
    falling = Linear(start_value=1.0, end_value=0.0, start_images=0, end_images=400, warm_up=200)
    assert [falling(seen) for seen in (0, 100, 200, 300, 400)] == pytest.approx([0.0, 0.75 * 0.5, 0.5, 0.25, 0.0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"end_images": 100}, "end_images must be larger than start_images, got end_images=100 and start_images=100"),
        ({"end_images": 3e5}, "end_images must be a whole number of at least 1, got 300000.0"),
        ({"start_images": -1}, "start_images must be a whole number of at least 0, got -1"),
        ({"warm_up": -1}, "warm_up must be a whole number of at least 0, got -1"),
        ({"start_value": "fast"}, "start_value must be a number, got 'fast'"),
        ({"end_value": float("nan")}, "end_value must be a number, got nan"),
    ],
)
def test_wrong_values_are_refused(bad, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Linear(**({"start_value": 1.0, "end_value": 0.0, "start_images": 100, "end_images": 200} | bad))


def test_until_the_end_of_the_run():
    schedule = Linear(start_value=1.0, end_value=0.0, start_images=0, end_images=None)
    with pytest.raises(RuntimeError, match="set_total_images"):
        schedule(0)
    schedule.set_total_images(200)
    assert [schedule(seen) for seen in (0, 50, 200)] == [1.0, 0.75, 0.0]
    with pytest.raises(ValueError, match="end_images"):
        schedule.set_total_images(None)
    with pytest.raises(
        ValueError, match="end_images must be larger than start_images, got end_images=5 and start_images=10"
    ):
        Linear(start_value=1.0, end_value=0.0, start_images=10, end_images=None).set_total_images(5)
    fixed = Linear(start_value=1.0, end_value=0.0, start_images=0, end_images=100)
    fixed.set_total_images(200)
    assert fixed(50) == 0.5

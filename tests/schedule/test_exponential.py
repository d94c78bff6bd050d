import pytest

from fmcgan.schedule.exponential import Exponential


def test_equal_factors_in_equal_spans():
    schedule = Exponential(start_value=1.0, end_value=0.01, start_images=1000, end_images=5000)
    images = (0, 1000, 2000, 3000, 4000, 5000, 10**9)
    expected = [1.0, 1.0, 10**-0.5, 0.1, 10**-1.5, 0.01, 0.01]
    assert [schedule(seen) for seen in images] == pytest.approx(expected)
    assert schedule.moves


def test_it_may_rise_or_stay():
    rising = Exponential(start_value=0.5, end_value=8.0, start_images=0, end_images=400)
    assert [rising(seen) for seen in (0, 100, 200, 300, 400)] == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0])
    level = Exponential(start_value=0.3, end_value=0.3, start_images=0, end_images=400)
    assert [level(seen) for seen in (0, 100, 400)] == [0.3, 0.3, 0.3]
    assert not level.moves


def test_it_is_torchs_exponential():
    from torch import nn, optim

    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=0.4)
    reference = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    schedule = Exponential(start_value=0.4, end_value=0.4 * 0.9**50, start_images=0, end_images=50)
    for step in range(51):
        assert schedule(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        reference.step()


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (0.0, 1.0), (-1.0, -2.0)])
def test_there_is_no_way_from_or_to_0(start, end):
    with pytest.raises(ValueError, match=f"above 0, got start_value={start} and end_value={end}"):
        Exponential(start_value=start, end_value=end, start_images=0, end_images=10)

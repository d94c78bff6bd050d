from fmcgan.schedule.constant import Constant


def test_the_value_is_the_same_to_the_bit_and_counts_as_still():
    schedule = Constant(0.1)
    assert [schedule(seen) for seen in (0, 1, 2, 10**9)] == [0.1] * 4
    assert not schedule.moves
    assert Constant()(17) == 1.0

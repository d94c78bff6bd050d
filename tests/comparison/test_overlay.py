import numpy as np

from fmcgan.comparison.overlay import mean_curve


def curve(x, y):
    return np.array(x, dtype=float), np.array(y, dtype=float)


def test_mean_curve_by_hand():
    x, mean, low, high = mean_curve([curve([0, 10, 20], [0, 10, 20]), curve([5, 15, 30], [1, 3, 6])])
    np.testing.assert_allclose(x, [5, 10, 15, 20])  # the common range is 5..20
    np.testing.assert_allclose(low, [1, 2, 3, 4])
    np.testing.assert_allclose(high, [5, 10, 15, 20])
    np.testing.assert_allclose(mean, [3, 6, 9, 12])


def test_one_run_is_left_as_it_is():
    x, mean, low, high = mean_curve([curve([1, 2, 3], [4, np.nan, 6])])
    np.testing.assert_allclose(x, [1, 3])
    for values in (mean, low, high):
        np.testing.assert_allclose(values, [4, 6])


def test_no_common_range_gives_one_point():
    x, mean, low, high = mean_curve([curve([10], [2]), curve([12], [4])])
    assert (x.tolist(), mean.tolist(), low.tolist(), high.tolist()) == ([11], [3], [2], [4])


def test_runs_without_values_do_not_count():
    x, mean, _, _ = mean_curve([curve([], []), curve([1, 2], [3, 4]), curve([1], [np.nan])])
    assert (x.tolist(), mean.tolist()) == ([1, 2], [3, 4])
    assert mean_curve([])[0].shape == (0,)

import numpy as np
import pytest
import yaml

from fmcgan.comparison.grouping import DIFFERENT_LOSSES, Group, group_runs
from fmcgan.comparison.overlay import losses_figure, mean_curve, series_of
from fmcgan.comparison.runs import read_run


def curve(x, y):
    return np.array(x, dtype=float), np.array(y, dtype=float)


def test_runs_are_averaged_at_equal_shares_of_their_lengths():
    x, mean, low, high = mean_curve([curve([0, 10, 20], [0, 10, 20]), curve([10, 20, 40], [1, 3, 6])], [20, 40])
    np.testing.assert_allclose(x, [7.5, 15, 30])  # a quarter, half and all of 30, the mean length
    np.testing.assert_allclose(low, [1, 3, 6])
    np.testing.assert_allclose(high, [5, 10, 20])
    np.testing.assert_allclose(mean, [3, 6.5, 13])


def test_a_quick_seed_does_not_cut_off_the_last_values_of_the_others(write_run):
    """By images and by minutes the curve ends with the means of the last values, which stand in the tables."""
    runs = []
    for seed, (seconds, fd) in enumerate([(60.0, 4.0), (120.0, 2.0), (240.0, 3.0)]):
        halves = [(1000, seconds / 2, 20.0), (2000, seconds, fd)]
        runs.append(read_run(write_run(f"{seed}", [], halves, (2000, fd), seed=seed, seconds=seconds)))
    group = Group("recipe", tuple(runs))
    for clock, x in (("images_seen", [1000, 2000]), ("seconds", [7 / 6, 7 / 3])):  # minutes
        (series,) = series_of([group], "score/fd", clock)
        np.testing.assert_allclose(series.x, x)
        np.testing.assert_allclose(series.y, [20, 3])
        np.testing.assert_allclose(series.band, [[20, 2], [20, 4]])


def test_one_run_is_left_as_it_is():
    x, mean, low, high = mean_curve([curve([1, 2, 3], [4, np.nan, 6])], [3])
    np.testing.assert_allclose(x, [1, 3])
    for values in (mean, low, high):
        np.testing.assert_allclose(values, [4, 6])


def test_no_common_share_gives_one_point():
    x, mean, low, high = mean_curve([curve([10], [2]), curve([12], [4])], [20, 20])
    assert (x.tolist(), mean.tolist(), low.tolist(), high.tolist()) == ([11], [3], [2], [4])


def test_runs_without_values_do_not_count():
    x, mean, _, _ = mean_curve([curve([], []), curve([1, 2], [3, 4]), curve([1], [np.nan])], [9, 2, 9])
    assert (x.tolist(), mean.tolist()) == ([1, 2], [3, 4])
    assert mean_curve([], [])[0].shape == (0,)


def loss_titles(folders, monkeypatch):
    drawn = []
    monkeypatch.setattr("fmcgan.comparison.overlay.curves_figure", drawn.extend)
    losses_figure(group_runs([read_run(folder) for folder in folders]))
    return [DIFFERENT_LOSSES in panel.title for panel in drawn]


@pytest.mark.parametrize(
    ("first", "second", "warned"),
    [
        ({"loss": {"_target_": "a"}}, {"loss": {"_target_": "a"}, "lr": 1.0}, [False, False]),
        ({"loss": {"_target_": "a"}}, {"loss": {"_target_": "b"}}, [True, True]),
        ({"penalty": {"weight": 1.0}}, {"penalty": {"weight": 2.0}}, [False, True]),
        ({"regularizer": {"weight": 1.0}}, {}, [False, True]),
        ({}, {"network": {"discriminator": {"conditioning": {"weight": 1.0}}}}, [True, True]),  # an AC-GAN
    ],
)
def test_losses_of_different_formulas_carry_a_warning(write_run, monkeypatch, first, second, warned):
    folders = [write_run(f"{place}", [f"lr={place}"], [], (1000, 1.0)) for place in range(2)]
    for folder, config in zip(folders, (first, second), strict=True):
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert loss_titles(folders, monkeypatch) == warned

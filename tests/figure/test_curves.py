import warnings

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from fmcgan.figure.curves import (
    PALETTE,
    PANEL_INCHES,
    Panel,
    Series,
    count_label,
    curves_figure,
    draw_curves,
    running_mean,
    smoothing_window,
)
from fmcgan.figure.png import DPI, write_png
from fmcgan.figure.run_curves import gradient_norm_figure, loss_figure


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def colour_at(picture, colour):
    """Where the picture is (nearly) of a colour."""
    wanted = np.array([round(255 * part) for part in to_rgb(colour)])
    return np.abs(picture - wanted).max(axis=2) < 12


def test_counts_are_short():
    counts = (0, 500, 2_500, 50_000, 100_000, 1_000_000, 1_500_000)
    assert [count_label(count) for count in counts] == ["0", "500", "2.5k", "50k", "100k", "1M", "1.5M"]


def test_running_mean_by_hand():
    np.testing.assert_allclose(running_mean([1, 2, 6, 7], 3), [1.5, 3, 5, 6.5])
    np.testing.assert_allclose(running_mean([1, np.nan, 3, np.inf], 3), [1, np.nan, 3, np.nan])
    np.testing.assert_allclose(running_mean([1e20, 0, 0, 0, 3], 3)[-2:], [1, 1.5])  # a spike stays where it is
    np.testing.assert_array_equal(running_mean([4, 5], 1), [4, 5])
    assert running_mean([], 3).shape == (0,)
    assert [smoothing_window(n) for n in (0, 99, 100, 500)] == [1, 1, 3, 11]


def test_size_is_set_by_the_panels(tmp_path):
    panel = Panel("title", "y", [Series("a", [0, 1], [0, 1])])
    sizes = []
    for number in (1, 2, 3):
        draw_curves([panel] * number, tmp_path / f"{number}.png")
        sizes.append(pixels(tmp_path / f"{number}.png").shape[:2])
    width, height = (int(inches * DPI) for inches in PANEL_INCHES)
    assert [size[1] for size in sizes] == [width, 2 * width, 2 * width]
    legend = sizes[0][0] - height
    assert 0 < legend < 0.5 * DPI
    assert sizes[1][0] == sizes[0][0]
    assert sizes[2][0] == pytest.approx(2 * height + legend, abs=1)


def test_same_label_has_the_same_colour_in_each_panel(tmp_path):
    first = Panel("1", "y", [Series("a", [0, 1], [0, 1]), Series("b", [0, 1], [1, 0])])
    second = Panel("2", "y", [Series("b", [0, 1], [1, 0])])
    draw_curves([first, second], tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    plots = picture[: int(PANEL_INCHES[1] * DPI * 0.9)]  # without the legend
    left, right = np.split(plots, 2, axis=1)
    assert colour_at(left, PALETTE[0]).any()
    assert colour_at(left, PALETTE[1]).any()
    assert not colour_at(right, PALETTE[0]).any()
    assert colour_at(right, PALETTE[1]).any()


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
@pytest.mark.parametrize(
    ("x", "y", "seen"),
    [
        ([], [], False),
        ([5], [np.nan], False),
        ([5], [2.0], True),
        ([5, 9], [2.0, 3.0], True),
        ([1, 2, 3, 4], [1.0, np.nan, np.inf, 2.0], True),
        ([1, 2, 3], [0.0, 0.0, 3.0], True),
    ],
)
def test_few_missing_and_infinite_values(tmp_path, scale, x, y, seen):
    series = Series("a", x, y, band=(y, y), raw=y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_curves([Panel("t", "y", [series], scale=scale, references={"floor": 1.0})], tmp_path / "a.png")
    assert colour_at(pixels(tmp_path / "a.png"), PALETTE[0]).any() == seen


def test_no_panel_and_unknown_scale_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one panel"):
        draw_curves([], tmp_path / "a.png")
    with pytest.raises(ValueError, match="scale must be one of linear, log, symlog, got 'sqrt'"):
        Panel("t", "y", [], scale="sqrt")


def rows(n, penalty):
    return [
        {
            "images_seen": 128 * (i + 1),
            "loss/generator": 1.0 + i,
            "loss/discriminator": 2.0,
            "loss/adversarial": 1.5,
            "loss/penalty": penalty,
            "gradient_norm/generator": 3.0,
            "gradient_norm/discriminator": 0.5,
        }
        for i in range(n)
    ]


def test_loss_figure_shows_the_penalty_only_if_there_is_one(tmp_path):
    for name, penalty in (("without", 0.0), ("with", 0.5)):
        write_png(loss_figure([*rows(5, penalty), {"images_seen": 640, "score/fd": 3.0}]), tmp_path / f"{name}.png")
    without, with_penalty = (pixels(tmp_path / f"{name}.png").shape[1] for name in ("without", "with"))
    assert with_penalty == 2 * without


def test_gradient_norm_figure_draws_a_line_at_each_clip(tmp_path):
    def dark_lines(name, **clips):
        write_png(gradient_norm_figure(rows(200, 0.0), **clips), tmp_path / name)
        # The first panel below its title, above its axis and right of its numbers; the second is after clipping.
        picture = pixels(tmp_path / name)[40:344, 100 : int(PANEL_INCHES[0] * DPI)]
        grey_and_dark = (np.ptp(picture, axis=2) < 10) & (picture.max(axis=2) < 145)  # neither curve nor axis
        dark = grey_and_dark.mean(axis=1) > 0.3
        return int(np.count_nonzero(np.diff(dark.astype(int)) == 1))

    assert dark_lines("a.png") == 0
    assert dark_lines("b.png", generator_clip=2.0) == 1
    assert dark_lines("c.png", generator_clip=2.0, discriminator_clip=1.0) == 2
    assert dark_lines("d.png", generator_clip=1.0, discriminator_clip=1.0) == 1


def test_run_without_rows_has_figures(tmp_path):
    write_png(loss_figure([]), tmp_path / "loss.png")
    norms = gradient_norm_figure([{"images_seen": 1, "gradient_norm/generator": None}])
    write_png(norms, tmp_path / "grad_norm.png")
    width = int(PANEL_INCHES[0] * DPI)
    assert pixels(tmp_path / "loss.png").shape[1] == pixels(tmp_path / "grad_norm.png").shape[1] == width


def test_places_without_a_panel_are_empty():
    panels = [Panel(str(place), "y", [Series("a", np.arange(3), np.arange(3.0))]) for place in range(3)]
    assert [axes.axison for axes in curves_figure(panels, columns=2).axes] == [True, True, True, False]

import warnings

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from fmcgan.figure.axes import PANEL_INCHES
from fmcgan.figure.chart import Tips
from fmcgan.figure.curves import (
    Panel,
    Series,
    count_label,
    curves_figure,
    running_mean,
    smoothing_window,
)
from fmcgan.figure.files import DPI, write_png
from fmcgan.figure.palette import DISCRIMINATOR, GENERATOR, MEANINGS, REAL, SERIES
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
        write_png(curves_figure([panel] * number), tmp_path / f"{number}.png")
        sizes.append(pixels(tmp_path / f"{number}.png").shape[:2])
    width, height = (int(inches * DPI) for inches in PANEL_INCHES)
    assert [size[1] for size in sizes] == [width, 2 * width, 2 * width]
    legend = sizes[0][0] - height
    assert 0 < legend < 0.5 * DPI
    assert sizes[1][0] == sizes[0][0]
    assert sizes[2][0] == pytest.approx(2 * height + legend, abs=1)


def test_same_label_has_the_same_colour_in_each_panel():
    first = Panel("1", "y", [Series("a", [0, 1], [0, 1]), Series("b", [0, 1], [1, 0])])
    second = Panel("2", "y", [Series("b", [0, 1], [1, 0])])
    left, right = curves_figure([first, second]).axes
    assert [line.get_color() for line in left.lines] == [SERIES[0], SERIES[1]]
    assert [line.get_color() for line in right.lines] == [SERIES[1]]


def test_what_means_the_same_has_the_same_colour_in_all_figures():
    labels = ["generator", "recipe", "discriminator", "real images"]
    panel = Panel("t", "y", [Series(label, [0, 1], [0, 1]) for label in labels], references={"real data": 0.5})
    colours = {line.get_label(): line.get_color() for line in curves_figure([panel]).axes[0].lines}
    expected = {"generator": GENERATOR, "discriminator": DISCRIMINATOR, "real images": REAL, "real data": REAL}
    assert colours == {**expected, "recipe": SERIES[0]}
    assert not set(SERIES) & set(MEANINGS.values())


def test_each_curve_tells_its_numbers_at_no_more_than_sixty_points():
    x = np.arange(1000.0)
    panel = Panel("t", "loss", [Series("generator", x, x / 4), Series("few", [1.0, np.nan], [0.5, 2.0])])
    tips = [each for each in curves_figure([panel]).axes[0].get_children() if isinstance(each, Tips)]
    assert [len(each.texts) for each in tips] == [60, 1]
    assert tips[0].texts[-1] == "generator: 249.8 (999 training images seen)"
    assert tips[0].points[0].tolist() == [0, 0]


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
        write_png(
            curves_figure([Panel("t", "y", [series], scale=scale, references={"floor": 1.0})]), tmp_path / "a.png"
        )
    assert colour_at(pixels(tmp_path / "a.png"), SERIES[0]).any() == seen


def test_no_panel_and_unknown_scale_are_refused():
    with pytest.raises(ValueError, match="at least one panel"):
        curves_figure([])
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


def test_gradient_norm_figure_draws_a_line_at_each_clip():
    def lines(**clips):
        axes = gradient_norm_figure(rows(200, 0.0), **clips).axes[0]
        return {line.get_ydata()[0] for line in axes.lines if "clipped" in str(line.get_label())}

    assert lines() == set()
    assert lines(generator_clip=2.0) == {2.0}
    assert lines(generator_clip=2.0, discriminator_clip=1.0) == {2.0, 1.0}
    assert lines(generator_clip=1.0, discriminator_clip=1.0) == {1.0}


def test_run_without_rows_has_figures(tmp_path):
    write_png(loss_figure([]), tmp_path / "loss.png")
    norms = gradient_norm_figure([{"images_seen": 1, "gradient_norm/generator": None}])
    write_png(norms, tmp_path / "grad_norm.png")
    width = int(PANEL_INCHES[0] * DPI)
    assert pixels(tmp_path / "loss.png").shape[1] == pixels(tmp_path / "grad_norm.png").shape[1] == width


def test_places_without_a_panel_are_empty():
    panels = [Panel(str(place), "y", [Series("a", np.arange(3), np.arange(3.0))]) for place in range(3)]
    assert [axes.axison for axes in curves_figure(panels, columns=2).axes] == [True, True, True, False]

import math
import warnings
from functools import partial

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from fmcgan.data.garments import GARMENTS
from fmcgan.figure import bars
from fmcgan.figure.bars import BAR_COLOUR, BARS_INCHES, MARKS, _limits, _text, draw_class_bars
from fmcgan.figure.png import DPI

ClassBars = partial(bars.ClassBars, names=GARMENTS.class_names)
WIDTH, HEIGHT = (round(inches * DPI) for inches in BARS_INCHES)


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def colour_at(picture, colour):
    wanted = np.array([round(255 * part) for part in to_rgb(colour)])
    return np.abs(picture - wanted).max(axis=2) < 12


def bars_of(picture):
    """Begin and length in pixels of each run of rows which have the colour of the bars, from top to bottom."""
    seen = colour_at(picture, BAR_COLOUR)
    rows = np.flatnonzero(np.diff(np.r_[0, seen.any(axis=1), 0].astype(int)))
    spans = [np.flatnonzero(seen[(top + bottom) // 2]) for top, bottom in rows.reshape(-1, 2)]
    return [(span[0], span[-1] - span[0] + 1) for span in spans]


def test_bars_are_as_long_as_their_values_from_label_0_at_the_top(tmp_path):
    values = [float(label + 1) for label in range(10)]
    draw_class_bars([ClassBars("t", values)], tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    assert picture.shape == (HEIGHT, WIDTH, 3)
    begins, lengths = zip(*bars_of(picture), strict=True)
    assert max(begins) - min(begins) <= 1
    np.testing.assert_allclose(np.array(lengths) / lengths[-1], np.array(values) / 10, atol=0.01)


def test_a_class_without_samples_leaves_a_gap_that_says_so(tmp_path):
    draw_class_bars([ClassBars("t", [1.0] * 10)], tmp_path / "full.png")
    draw_class_bars([ClassBars("t", [1.0, None, math.nan, math.inf, *[1.0] * 6])], tmp_path / "gaps.png")
    assert len(bars_of(pixels(tmp_path / "full.png"))) == 10
    assert len(bars_of(pixels(tmp_path / "gaps.png"))) == 7
    assert [_text(None), _text(math.nan), _text(-math.inf)] == ["no samples", "not finite", "not finite"]


def test_a_reference_marks_its_value_before_each_bar(tmp_path):
    references = {"tick": [None] * 10, "real": [5.0] * 9 + [None]}
    draw_class_bars([ClassBars("t", [10.0] * 10, references)], tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    begin, length = bars_of(picture)[-1]
    marks = colour_at(picture[int(0.2 * len(picture)) :], MARKS[1][1])  # below the legend
    rows = np.flatnonzero(np.diff(np.r_[0, marks.any(axis=1), 0].astype(int))).reshape(-1, 2)
    assert len(rows) == 9  # ten bars, one without a mark
    assert np.nonzero(marks)[1].mean() == pytest.approx(begin + length / 2, abs=2)


def test_a_single_number_is_a_line_through_all_bars(tmp_path):
    draw_class_bars([ClassBars("t", [10.0] * 10, {"tick": [1.0] * 10, "chance": 2.5})], tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    begin, length = bars_of(picture)[-1]
    below_legend = picture[int(0.2 * len(picture)) :]
    line = below_legend[:, :, 0] > below_legend[:, :, 2] + 60  # orange, also where its edge is blended
    columns = np.flatnonzero(line.mean(axis=0) > 0.3)
    assert columns.mean() == pytest.approx(begin + length / 4, abs=3)  # of 490 pixels; the axis hides two


def test_equal_labels_have_equal_colours_in_all_panels(tmp_path):
    first = ClassBars("1", [1.0] * 10, {"a": [0.5] * 10, "b": [0.7] * 10})
    second = ClassBars("2", [1.0] * 10, {"b": [0.7] * 10})
    draw_class_bars([first, second], tmp_path / "a.png")
    left, right = np.split(pixels(tmp_path / "a.png")[-HEIGHT:], 2, axis=1)
    assert colour_at(left, MARKS[1][1]).any()
    assert colour_at(right, MARKS[1][1]).any()


def test_size_is_set_by_the_panels(tmp_path):
    panel = ClassBars("t", [1.0] * 10)
    sizes = []
    for number in (1, 2, 3):
        draw_class_bars([panel] * number, tmp_path / f"{number}.png")
        sizes.append(pixels(tmp_path / f"{number}.png").shape[:2])
    assert sizes == [(HEIGHT, WIDTH), (HEIGHT, 2 * WIDTH), (2 * HEIGHT, 2 * WIDTH)]


@pytest.mark.parametrize("names", [GARMENTS.class_names, [f"{label} Mammals with woolly names" for label in range(10)]])
def test_nothing_touches_the_edges_whatever_titles_names_and_values(tmp_path, names):
    values = [-123456.0, None, 0.000001234, 99999999.0, *[-0.00123] * 6]
    title = "Fréchet distance on features of the classifier, of the samples of each class"
    panels = [ClassBars(title, values, {"real training images": values}, names=names)] * 3
    draw_class_bars(panels, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    for edge in (picture[:3], picture[-3:], picture[:, :3], picture[:, -3:]):
        assert (edge == 255).all()


@pytest.mark.parametrize("values", [[None] * 10, [math.nan] * 10, [0.0] * 10, [-1.0] * 10, [1e-300] * 10, [1e300] * 10])
def test_no_value_zeros_and_extremes_give_no_warning(tmp_path, values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_class_bars([ClassBars("t", values, {"real": values, "none": math.nan})], tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").shape[1] == WIDTH


def test_values_are_written_short():
    values = (0.0, 0.5, 0.8765, 12.0, 999.4, 999.6, 123456.0, -0.00123, 100.0, 1.5e20)
    texts = ["0", "0.500", "0.876", "12.0", "999", "1,000", "123,456", "-0.00123", "100", "1.50e+20"]
    assert [_text(value) for value in values] == texts


def test_axes_begin_at_zero_unless_a_value_is_below():
    assert _limits(np.array([5.0, 10.0, np.nan])) == pytest.approx((0, 10.3))
    assert _limits(np.array([-2.0, 8.0])) == pytest.approx((-2.3, 8.3))
    assert _limits(np.array([-2.0])) == pytest.approx((-2.06, 0.06))
    assert _limits(np.array([np.nan, 0.0])) == (0, 1)


def test_bars_have_equal_bytes_for_equal_panels(tmp_path):
    panels = [ClassBars("t", [0.1 * label for label in range(10)], {"a": [0.5] * 10, "b": 0.2})]
    draw_class_bars(panels, tmp_path / "a.png")
    draw_class_bars(panels, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_refuses_no_panel_and_another_number_of_classes(tmp_path):
    with pytest.raises(ValueError, match="at least one panel"):
        draw_class_bars([], tmp_path / "a.png")
    with pytest.raises(ValueError, match="fd: values must hold 10 numbers, one per class, got 9"):
        ClassBars("fd", [1.0] * 9)
    with pytest.raises(ValueError, match="fd: real must hold 10 numbers, one per class, got 0"):
        ClassBars("fd", [1.0] * 10, {"real": []})

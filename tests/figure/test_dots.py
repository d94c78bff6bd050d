import math
import warnings
from functools import partial

import numpy as np
import pytest

from fmcgan.data.garments import GARMENTS
from fmcgan.figure import dots
from fmcgan.figure.chart import Tips
from fmcgan.figure.dots import DOTS_INCHES, SHAPES, _limits, _text, class_dots_figure
from fmcgan.figure.files import png_bytes
from fmcgan.figure.palette import BASELINE, REAL

ClassDots = partial(dots.ClassDots, names=GARMENTS.class_names)


def marks(axes, shape):
    """Positions of the marks of a shape: [N, 2]."""
    (line,) = (each for each in axes.lines if each.get_marker() == shape)
    return line.get_xydata()


def test_dots_are_at_their_values_from_label_0_at_the_top():
    values = [0.83, 0.87, *range(2, 10)]
    (axes,) = class_dots_figure([ClassDots("t", values)]).axes
    np.testing.assert_array_equal(marks(axes, "o"), np.stack([values, range(10)], axis=1))
    low, high = axes.get_ylim()
    assert low > high


def test_near_values_are_apart_because_the_axis_does_not_begin_at_0():
    (axes,) = class_dots_figure([ClassDots("t", [0.83] * 5 + [0.87] * 5)]).axes
    x = axes.transAxes.inverted().transform(axes.transData.transform(marks(axes, "o")))[:, 0]
    assert x[-1] - x[0] > 0.8  # of the width


def test_a_class_without_samples_says_so():
    (axes,) = class_dots_figure([ClassDots("t", [1.0, None, math.nan, math.inf, *[1.0] * 6])]).axes
    assert np.isfinite(marks(axes, "o")[:, 0]).sum() == 7
    assert [text.get_text() for text in axes.texts][:4] == ["1.00", "no samples", "not finite", "not finite"]


def test_references_have_their_marks_and_colours_and_a_number_is_a_line():
    references = {"real data": [5.0] * 9 + [None], "noise": [7.0] * 10, "chance": 2.5}
    figure = class_dots_figure([ClassDots("t", [10.0] * 10, references)])
    (axes,) = figure.axes
    assert np.isfinite(marks(axes, SHAPES[0])[:, 0]).sum() == 9
    assert marks(axes, SHAPES[1])[:, 0].tolist() == [7.0] * 10
    (line,) = (each for each in axes.lines if each.get_label() == "chance")
    assert list(line.get_xdata()) == [2.5, 2.5]
    colours = {each.get_label(): each.get_color() for each in axes.lines}
    assert (colours["real data"], colours["noise"]) == (REAL, BASELINE)
    assert [text.get_text() for text in figure.legends[0].texts] == ["samples", *references]


def test_equal_labels_have_equal_shapes_in_all_panels():
    first = ClassDots("1", [1.0] * 10, {"a": [0.5] * 10, "b": [0.7] * 10})
    second = ClassDots("2", [1.0] * 10, {"b": [0.8] * 10})
    left, right = class_dots_figure([first, second]).axes
    assert marks(left, SHAPES[1])[0, 0] == 0.7
    assert marks(right, SHAPES[1])[0, 0] == 0.8


def test_each_dot_tells_its_class_its_value_and_those_of_the_references():
    references = {"real": [0.5] * 9 + [None]}
    (axes,) = class_dots_figure([ClassDots("t", [0.25] * 10, references)]).axes
    (tips,) = (each for each in axes.get_children() if isinstance(each, Tips))
    assert tips.texts[0] == f"{GARMENTS.class_names[0]}: 0.250, real 0.500"
    assert tips.texts[9] == f"{GARMENTS.class_names[9]}: 0.250"


def test_size_is_set_by_the_panels():
    panel = ClassDots("t", [1.0] * 10)
    width, height = DOTS_INCHES
    sizes = [class_dots_figure([panel] * number).get_size_inches().tolist() for number in (1, 2, 3)]
    assert sizes == [[width, height], [2 * width, height], [2 * width, 2 * height]]


@pytest.mark.parametrize("values", [[None] * 10, [math.nan] * 10, [0.0] * 10, [-1.0] * 10, [1e-300] * 10, [1e300] * 10])
def test_no_value_zeros_and_extremes_give_no_warning(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png_bytes(class_dots_figure([ClassDots("t", values, {"real": values, "none": math.nan})]))


def test_values_are_written_short():
    values = (0.0, 0.5, 0.8765, 12.0, 999.4, 999.6, 123456.0, -0.00123, 100.0, 1.5e20)
    texts = ["0", "0.500", "0.876", "12.0", "999", "1,000", "123,456", "-0.00123", "100", "1.50e+20"]
    assert [_text(value) for value in values] == texts


def test_axes_have_space_around_the_values():
    assert _limits(np.array([5.0, 10.0, np.nan])) == pytest.approx((4.7, 10.3))
    assert _limits(np.array([2.0])) == pytest.approx((1.88, 2.12))
    assert _limits(np.array([0.0])) == (-1, 1)
    assert _limits(np.array([np.nan])) == (0, 1)


def test_equal_panels_give_equal_bytes():
    panels = [ClassDots("t", [0.1 * label for label in range(10)], {"a": [0.5] * 10, "b": 0.2})]
    assert png_bytes(class_dots_figure(panels)) == png_bytes(class_dots_figure(panels))


def test_refuses_no_panel_and_another_number_of_classes():
    with pytest.raises(ValueError, match="at least one panel"):
        class_dots_figure([])
    with pytest.raises(ValueError, match="fd: values must hold 10 numbers, one per class, got 9"):
        ClassDots("fd", [1.0] * 9)
    with pytest.raises(ValueError, match="fd: real must hold 10 numbers, one per class, got 0"):
        ClassDots("fd", [1.0] * 10, {"real": []})

from functools import partial

import numpy as np
import pytest
from matplotlib.colors import Normalize, to_rgb

from fmcgan.figure import heatmap
from fmcgan.figure.heatmap import SEQUENTIAL, UNKNOWN
from fmcgan.figure.palette import FAINT_INK, GENERATED, INK, REAL, contrast

heatmap_figure = partial(heatmap.heatmap_figure, formats=".2f", title="title", label="label")
ROWS, COLUMNS = ["up", "down"], ["a", "b", "c"]
VALUES = [[1.0, -0.5, 0.0], [-2.0, np.nan, 0.25]]


def pixels(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def texts(figure):
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t for t in figure.axes[0].texts}


def test_every_known_cell_has_its_number_and_a_real_minus():
    written = {place: text.get_text() for place, text in texts(heatmap_figure(VALUES, ROWS, COLUMNS)).items()}
    assert written == {
        (0, 0): "1.00",
        (0, 1): "\N{MINUS SIGN}0.50",
        (0, 2): "0.00",
        (1, 0): "\N{MINUS SIGN}2.00",
        (1, 2): "0.25",
    }


def test_names_stand_at_their_rows_and_columns():
    axes = heatmap_figure(VALUES, ROWS, COLUMNS, title="what it is").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ROWS
    assert [label.get_text() for label in axes.get_xticklabels()] == COLUMNS
    assert axes.get_title(loc="left") == "what it is"


def test_diverging_colours_are_white_at_nought_and_as_strong_on_both_sides():
    shown = pixels(heatmap_figure([[2.0, 0.0, -2.0], [1.0, 0.5, -1.0]], ROWS, COLUMNS))
    assert shown[0, 0, :3] == pytest.approx(to_rgb(GENERATED), abs=0.01)
    assert shown[0, 1, :3] == pytest.approx((1, 1, 1), abs=0.01)
    assert shown[0, 2, :3] == pytest.approx(to_rgb(REAL), abs=0.01)
    assert shown[1, 0, :3] == pytest.approx((1 + np.array(to_rgb(GENERATED))) / 2, abs=0.01)  # half of the way


def test_sequential_colours_darken_with_the_value():
    shown = pixels(heatmap_figure([[0.0, 1.0, 4.0]], ["x"], COLUMNS, colours=SEQUENTIAL, scale=Normalize(0, 4)))
    levels = shown[0, :, :3].mean(axis=1)
    assert levels[0] > levels[1] > levels[2]


def test_given_limits_end_the_colours():
    shown = pixels(heatmap_figure([[0.5, 1.0, 7.0]], ["x"], COLUMNS, colours=SEQUENTIAL, scale=Normalize(0, 1)))
    assert np.array_equal(shown[0, 1], shown[0, 2])
    assert not np.array_equal(shown[0, 0], shown[0, 1])


def test_a_cell_without_a_value_is_grey_and_empty():
    figure = heatmap_figure(VALUES, ROWS, COLUMNS)
    assert pixels(figure)[1, 1, :3] == pytest.approx(to_rgb(UNKNOWN))
    assert (1, 1) not in texts(figure)
    heatmap_figure(np.full((2, 3), np.nan), ROWS, COLUMNS)  # and so are all


def test_a_format_is_a_text_or_a_function():
    for given in (".0%", lambda value: f"{100 * value:.0f}%"):
        written = texts(heatmap_figure([[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]], ROWS, COLUMNS, formats=given))
        assert [written[0, column].get_text() for column in range(3)] == ["50%"] * 3


def test_faint_cells_are_pale_and_the_others_bold():
    figure = heatmap_figure([[0.0, 8.0, 9.0]], ["x"], COLUMNS, faint=[[True, True, False]])
    assert pixels(figure)[0, 1, :3].min() > 0.7 > pixels(figure)[0, 2, :3].min()
    weights = [text.get_fontweight() for text in figure.axes[0].texts]
    assert weights == ["normal", "normal", "bold"]


def test_a_value_that_rounds_to_zero_has_no_sign_and_a_blank_cell_no_number():
    figure = heatmap_figure([[0.004, -0.004, 1.0]], ["x"], COLUMNS, formats="+.2f", blank=[[False, False, True]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.00", "0.00"]


def test_faint_cells_are_faint_and_dark_cells_have_white_numbers():
    found = texts(heatmap_figure([[0.0, 0.1, -9.0]], ["x"], COLUMNS, faint=[[True, False, False]]))
    assert [found[0, column].get_color() for column in range(3)] == [FAINT_INK, INK, "white"]


@pytest.mark.parametrize("colours", [SEQUENTIAL, heatmap.DIVERGING])
@pytest.mark.parametrize("is_faint", [True, False])
def test_every_number_is_legible_on_its_cell(colours, is_faint):
    values = np.linspace(-1, 1, 81)[None]
    figure = heatmap_figure(values, ["x"], [""] * 81, colours=colours, faint=np.full((1, 81), is_faint))
    shown = pixels(figure)
    contrasts = [contrast(text.get_color(), tuple(shown[0, column, :3])) for (_, column), text in texts(figure).items()]
    assert len(contrasts) == 81
    assert min(contrasts) >= 4.5


def test_it_is_never_wider_than_a_page():
    columns = [f"attribute {number}" for number in range(30)]
    figure = heatmap_figure(np.zeros((2, 30)), ["a rather long name of a row"] * 2, columns)
    assert figure.get_size_inches()[0] <= 11
    heatmap_figure(np.zeros((1, 1)), ["x"], ["y"]).canvas.draw()  # the smallest one can be laid out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], ROWS, COLUMNS), r"values must be \[2, 3\] and not empty, got \[1, 1\]"),
        ((np.zeros((0, 3)), [], COLUMNS), "not empty"),
        ((VALUES, ROWS, COLUMNS, [[True]]), r"faint must be \[2, 3\]"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        heatmap_figure(*arguments[:3], faint=arguments[3] if len(arguments) > 3 else None)

from functools import partial

import numpy as np
import pytest
from matplotlib.colors import Normalize, to_hex, to_rgb, to_rgba

from fmcgan.figure import heatmap
from fmcgan.figure.heatmap import SEQUENTIAL, STRONGEST, UNKNOWN
from fmcgan.figure.palette import CARD, DARK_CARD, FAINT_INK, GENERATED, INK, REAL, chart_colours, contrast
from tests.figure.cells import colours_of

heatmap_figure = partial(heatmap.heatmap_figure, formats=".2f", title="title", label="label")
ROWS, COLUMNS = ["up", "down"], ["a", "b", "c"]
VALUES = [[1.0, -0.5, 0.0], [-2.0, np.nan, 0.25]]


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


def test_diverging_colours_are_clear_at_nought_and_as_strong_on_both_sides():
    shown = colours_of(heatmap_figure([[2.0, 0.0, -2.0], [1.0, 0.5, -1.0]], ROWS, COLUMNS))
    assert shown[0, 0] == pytest.approx((*to_rgb(GENERATED), STRONGEST))
    assert (0, 1) not in shown
    assert shown[0, 2] == pytest.approx((*to_rgb(REAL), STRONGEST))
    assert shown[1, 0] == pytest.approx((*to_rgb(GENERATED), STRONGEST / 2), abs=0.03)  # half of the way


def test_sequential_colours_darken_with_the_value():
    shown = colours_of(heatmap_figure([[0.0, 1.0, 4.0]], ["x"], COLUMNS, colours=SEQUENTIAL, scale=Normalize(0, 4)))
    assert (0, 0) not in shown
    assert 0 < shown[0, 1][3] < shown[0, 2][3] == STRONGEST


def test_given_limits_end_the_colours():
    shown = colours_of(heatmap_figure([[0.5, 1.0, 7.0]], ["x"], COLUMNS, colours=SEQUENTIAL, scale=Normalize(0, 1)))
    assert shown[0, 0] != shown[0, 1] == shown[0, 2]


def test_a_cell_without_a_value_is_grey_and_empty():
    figure = heatmap_figure(VALUES, ROWS, COLUMNS)
    assert colours_of(figure)[1, 1] == to_rgba(UNKNOWN)
    assert (1, 1) not in texts(figure)
    heatmap_figure(np.full((2, 3), np.nan), ROWS, COLUMNS)  # and so are all


def test_a_format_is_a_text_or_a_function():
    for given in (".0%", lambda value: f"{100 * value:.0f}%"):
        written = texts(heatmap_figure([[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]], ROWS, COLUMNS, formats=given))
        assert [written[0, column].get_text() for column in range(3)] == ["50%"] * 3


def test_faint_cells_are_pale_and_the_others_bold():
    figure = heatmap_figure([[0.0, 8.0, 9.0]], ["x"], COLUMNS, faint=[[True, True, False]])
    shown = colours_of(figure)
    assert shown[0, 1][3] < 0.2 < shown[0, 2][3]
    weights = [text.get_fontweight() for text in figure.axes[0].texts]
    assert weights == ["normal", "normal", "bold"]


def test_a_value_that_rounds_to_zero_has_no_sign_and_a_blank_cell_no_number():
    figure = heatmap_figure([[0.004, -0.004, 1.0]], ["x"], COLUMNS, formats="+.2f", blank=[[False, False, True]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.00", "0.00"]


@pytest.mark.parametrize("colours", [SEQUENTIAL, heatmap.DIVERGING])
@pytest.mark.parametrize("is_faint", [True, False])
@pytest.mark.parametrize("dark", [False, True])
def test_every_number_is_legible_on_its_cell_in_both_modes(colours, is_faint, dark):
    """On a dark page the card, the inks and the hues are others; the opacities are the same."""
    values = np.linspace(-1, 1, 81)[None]
    figure = heatmap_figure(values, ["x"], [""] * 81, colours=colours, faint=np.full((1, 81), is_faint))
    card, inks = (
        (DARK_CARD, {INK: "#E8E7E3", FAINT_INK: "#A8ADB5"}) if dark else (CARD, {INK: INK, FAINT_INK: FAINT_INK})
    )
    named = chart_colours(dark)
    hues = {REAL: named["--chart-real"], GENERATED: named["--chart-generated"]}
    cells, contrasts = colours_of(figure), []
    for place, text in texts(figure).items():
        *hue, opacity = cells.get(place, (*to_rgb(REAL), 0))
        shown = np.array(to_rgb(hues[to_hex(hue).upper()])) * opacity + np.array(to_rgb(card)) * (1 - opacity)
        contrasts.append(contrast(inks[text.get_color()], tuple(shown)))
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

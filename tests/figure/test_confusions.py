from functools import partial

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba

from fmcgan.data.garments import GARMENTS
from fmcgan.figure import confusions
from fmcgan.figure.confusions import points
from fmcgan.figure.heatmap import UNKNOWN
from fmcgan.figure.palette import GENERATED, REAL
from tests.figure.cells import colours_of

NONE = np.zeros((10, 10), bool)
difference_figure = partial(confusions.difference_figure, names=GARMENTS.class_names)


def tables():
    """Of class 6, samples are read 60/40 and real images 80/20; of all others everything is read right."""
    counts, real_counts = np.diag([10] * 10), np.diag([100] * 10)
    counts[6, [6, 0]] = 6, 4
    real_counts[6, [6, 0]] = 80, 20
    return counts, real_counts


def cells_of(figure):
    """Text and weight by (row, column)."""
    texts = {}
    for text in figure.axes[0].texts:
        column, row = text.get_position()
        texts[int(row), int(column)] = (text.get_text(), text.get_weight())
    return texts


def test_points_by_hand():
    expected = np.zeros((10, 10))
    expected[6, [6, 0]] = -20, 20
    np.testing.assert_allclose(points(*tables()), expected, atol=1e-12)


def test_each_difference_stands_in_its_cell_and_sure_ones_are_bold():
    sure = NONE.copy()
    sure[6, 0] = True
    texts = cells_of(difference_figure(*tables(), sure))
    assert texts[6, 0] == ("+20", "bold")
    assert texts[6, 6] == ("\N{MINUS SIGN}20", "normal")
    assert texts[2, 2] == ("0", "normal")
    assert len(texts) == 11  # nothing where neither has anything


def test_colours_say_which_has_more():
    counts, real_counts = tables()
    drawn = colours_of(difference_figure(counts, real_counts, ~NONE))
    assert [to_hex(drawn[6, column]).upper() for column in (0, 6)] == [GENERATED, REAL]
    assert (6, 3) not in drawn
    counts[6] = np.diag([98] * 10)[6] + 2 * np.eye(10, dtype=int)[0]
    real_counts[6] = np.diag([100] * 10)[6]
    pale = colours_of(difference_figure(counts, real_counts, ~NONE))
    assert pale[6, 0][3] == pytest.approx(
        2 / 5 * drawn[6, 0][3], abs=0.02
    )  # two points are not shown as if they were twenty


def test_a_class_that_one_set_lacks_is_not_compared():
    counts, real_counts = tables()
    counts[3], real_counts[5] = 0, 0
    figure = difference_figure(counts, real_counts, NONE)
    grey = {row for (row, _), colour in colours_of(figure).items() if colour == to_rgba(UNKNOWN)}
    assert grey == {3, 5}
    assert [text.get_text() for text in figure.axes[0].texts].count("not compared") == 2


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\[10, 10\], got \[9, 10\]"):
        difference_figure(np.zeros((9, 10)), np.zeros((10, 10)), NONE)

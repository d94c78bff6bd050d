import warnings
from functools import partial

import numpy as np
import pytest

from fmcgan.data.garments import GARMENTS
from fmcgan.figure import confusions
from fmcgan.figure.confusions import SCALE, _percent, _summary
from fmcgan.figure.files import png_bytes
from fmcgan.figure.heatmap import SEQUENTIAL as COLOURS
from tests.figure.cells import colours_of, texts_of

agreement_figure = partial(confusions.agreement_figure, names=GARMENTS.class_names)
COUNTS = np.random.default_rng(0).integers(0, 100, (10, 10))


def test_each_cell_has_the_colour_of_its_percentage():
    counts = np.diag([200] * 10)
    counts[2, 7] = 200  # half of the row
    counts[4] = 1  # a tenth each
    percent = 100.0 * np.eye(10)
    percent[2, [2, 7]] = 50
    percent[4] = 10
    drawn = colours_of(agreement_figure(counts.tolist()))
    for place, colour in drawn.items():
        assert colour == pytest.approx(COLOURS(SCALE(percent[place]))), place
    assert drawn.keys() == {(row, column) for row, column in np.argwhere(percent > 0).tolist()}


def test_rows_and_columns_are_not_swapped():
    counts = np.zeros((10, 10), int)
    counts[1, 8] = 5
    figure = agreement_figure(counts)
    assert texts_of(figure)[1, 8] == "100"
    axes = figure.axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("conditioned class", "classified as")


def test_a_row_without_samples_says_so_and_a_cell_without_has_no_number():
    texts = list(texts_of(agreement_figure(np.diag([1] * 9 + [0]))).values())
    assert texts == ["100"] * 9 + ["no samples of this class"]


def test_the_share_counts_all_samples():
    counts = np.diag([10] * 10)
    counts[0, 1] = 900
    none = np.roll(np.diag([10] * 10), 1, axis=1)
    assert _summary(counts) == "Agreement: 10 % of 1,000 samples are classified as their conditioned class"
    assert _summary(none) == "Agreement: 0 % of 100 samples are classified as their conditioned class"
    assert _summary(np.zeros((10, 10), int)) == "Agreement: no samples"
    assert "Agreement: 10 %" in agreement_figure(counts).axes[0].get_title(loc="left")


def test_percentages_are_never_rounded_to_none_or_all():
    shares = (0.02, 0.6, 9.96, 50, 99.4, 99.98, 100)
    assert [_percent(share) for share in shares] == ["<1", "1", "10", "50", "99", ">99", "100"]


def test_equal_counts_give_equal_bytes_without_warning_and_stay_as_they_are():
    before = COUNTS.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = png_bytes(agreement_figure(COUNTS, title="a long title " * 12))
    np.testing.assert_array_equal(COUNTS, before)
    assert png_bytes(agreement_figure(COUNTS.astype(float), title="a long title " * 12)) == first


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros((9, 10)), r"counts must be \[10, 10\], got \[9, 10\]"),
        ([], r"counts must be \[10, 10\], got \[0\]"),
        (np.full((10, 10), np.nan), "whole numbers"),
        (np.full((10, 10), -1), "whole numbers"),
        (np.full((10, 10), 0.5), "whole numbers"),
        ([[None] * 10] * 10, "whole numbers"),
    ],
)
def test_refuses_what_is_no_table_of_counts(counts, message):
    with pytest.raises(ValueError, match=message):
        agreement_figure(counts)

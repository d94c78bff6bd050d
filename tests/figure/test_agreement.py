import warnings
from functools import partial

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from fmcgan.data.garments import GARMENTS
from fmcgan.figure import confusions
from fmcgan.figure.confusions import FIGURE_INCHES, SCALE, _percent, _summary
from fmcgan.figure.heatmap import SEQUENTIAL as COLOURS
from fmcgan.figure.heatmap import UNKNOWN as NO_SAMPLES
from fmcgan.figure.png import DPI

draw_agreement = partial(confusions.draw_agreement, names=GARMENTS.class_names)


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def share_of(picture, colour):
    """Share of the picture that is (nearly) of a colour."""
    wanted = np.array([round(255 * part) for part in to_rgb(colour)])
    return (np.abs(picture - wanted).max(axis=2) < 3).mean()


def table_area(picture):
    """The cells, cut out between the labels and the colour bar: found by the grey of a table without samples."""
    grey = np.abs(picture - 0xD9).max(axis=2) < 3
    rows, columns = np.flatnonzero(grey.mean(axis=1) > 0.3), np.flatnonzero(grey.mean(axis=0) > 0.3)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def cells(path, area):
    """Colour of a corner of each cell, where no number stands: [10, 10, 3]."""
    picture = pixels(path)[area]
    height, width = picture.shape[:2]
    return picture[[int((row + 0.2) * height / 10) for row in range(10)]][
        :, [int((column + 0.2) * width / 10) for column in range(10)]
    ]


def rgb(colour):
    return np.array([round(255 * part) for part in to_rgb(colour)])


@pytest.fixture(scope="module")
def area(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "a.png"
    draw_agreement(np.zeros((10, 10), int), path)
    return table_area(pixels(path))


def test_each_cell_has_the_colour_of_its_percentage(tmp_path, area):
    counts = np.diag([200] * 10)
    counts[2, 7] = 200  # half of the row
    counts[4] = 1  # a tenth each
    counts[5] = 0
    draw_agreement(counts.tolist(), tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    assert picture.shape == (int(FIGURE_INCHES[1] * DPI), int(FIGURE_INCHES[0] * DPI), 3)
    percent = 100.0 * np.eye(10)
    percent[2, [2, 7]] = 50
    percent[4] = 10
    wanted = np.round(255 * COLOURS(SCALE(percent))[:, :, :3]).astype(int)
    wanted[5] = rgb(NO_SAMPLES)
    np.testing.assert_allclose(cells(tmp_path / "a.png", area), wanted, atol=2)


def test_rows_and_columns_are_not_swapped(tmp_path, area):
    counts = np.zeros((10, 10), int)
    counts[1, 8] = 5
    draw_agreement(counts, tmp_path / "a.png")
    drawn = cells(tmp_path / "a.png", area)
    np.testing.assert_allclose(drawn[1, 8], rgb(COLOURS(1.0)), atol=2)
    np.testing.assert_allclose(drawn[8, 1], rgb(NO_SAMPLES), atol=2)


def test_a_row_without_samples_says_so(tmp_path, area):
    counts = np.diag([1] * 9 + [0])
    draw_agreement(counts, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")[area]
    row = picture[int(0.92 * len(picture)) : int(0.98 * len(picture))]
    assert share_of(row, NO_SAMPLES) > 0.8
    assert (row.max(axis=2) < 120).any()  # the words


def test_cells_without_samples_have_no_number(tmp_path, area):
    counts = np.diag([1] * 10)
    draw_agreement(counts, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")[area]
    height, width = (side / 10 for side in picture.shape[:2])
    blank = picture[int(3.1 * height) : int(3.9 * height), int(7.1 * width) : int(7.9 * width)]
    full = picture[int(3.1 * height) : int(3.9 * height), int(3.1 * width) : int(3.9 * width)]
    assert np.ptp(blank, axis=(0, 1)).max() == 0
    assert share_of(full, "white") > 0.005  # white on dark


def test_the_share_below_counts_all_samples():
    counts = np.diag([10] * 10)
    counts[0, 1] = 900
    none = np.roll(np.diag([10] * 10), 1, axis=1)
    assert _summary(counts) == "Agreement: 10.0 % of 1,000 samples are classified as their conditioned class"
    assert _summary(none) == "Agreement: 0 % of 100 samples are classified as their conditioned class"
    assert _summary(np.zeros((10, 10), int)) == "Agreement: no samples"


def test_percentages_are_never_rounded_to_none_or_all():
    shares = (0.02, 0.1, 9.96, 50, 99.9, 99.98, 100)
    assert [_percent(share) for share in shares] == ["<0.1", "0.1", "10.0", "50.0", "99.9", ">99.9", "100"]


COUNTS = np.random.default_rng(0).integers(0, 100, (10, 10))


@pytest.fixture
def drawn_with_a_long_title(tmp_path):
    before = COUNTS.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_agreement(COUNTS, tmp_path / "a.png", title="a long title " * 12)
    np.testing.assert_array_equal(COUNTS, before)
    return (tmp_path / "a.png").read_bytes()


def test_agreement_has_equal_bytes_for_equal_counts(tmp_path, drawn_with_a_long_title):
    draw_agreement(COUNTS.astype(float), tmp_path / "b.png", title="a long title " * 12)
    assert (tmp_path / "b.png").read_bytes() == drawn_with_a_long_title


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
def test_refuses_what_is_no_table_of_counts(tmp_path, counts, message):
    with pytest.raises(ValueError, match=message):
        draw_agreement(counts, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()

import time

import numpy as np
import pytest
from PIL import Image

from fmcgan.data.garments import GARMENTS
from fmcgan.figure.grid import GAP, MARGIN, PAPER, class_grid, side_by_side


def numbered(rows, columns, size=28):
    """Image (r, c) is all of the grey level 10 * r + c."""
    levels = 10 * np.arange(rows)[:, None] + np.arange(columns)
    return np.broadcast_to(levels[:, :, None, None], (rows, columns, size, size)).astype(np.uint8)


def test_each_image_lies_in_its_row_and_column_with_gaps_between():
    picture = np.asarray(class_grid(numbered(3, 4), ["a", "b", "c"], scale=2))
    step = 2 * 28 + GAP
    left, top = picture.shape[1] - MARGIN - (4 * step - GAP), MARGIN
    for row in range(3):
        for column in range(4):
            y, x = top + row * step, left + column * step
            tile = picture[y : y + 56, x : x + 56]
            assert tile.min() == tile.max() == 10 * row + column
            assert (picture[y : y + 56, x + 56 : x + 56 + GAP] == PAPER).all()
    assert picture.shape[0] == 3 * step - GAP + 2 * MARGIN


def test_pixels_are_repeated_and_not_blurred():
    image = np.random.default_rng(0).integers(0, 256, (1, 1, 28, 28), dtype=np.uint8)
    picture = np.asarray(class_grid(image, [""], scale=3))
    tile = picture[MARGIN : MARGIN + 84, -MARGIN - 84 : -MARGIN]
    for dy in range(3):
        for dx in range(3):
            np.testing.assert_array_equal(tile[dy::3, dx::3], image[0, 0])


def test_names_and_title_are_drawn_where_they_belong():
    images = np.full((2, 2, 28, 28), PAPER, dtype=np.uint8)
    nameless = np.asarray(class_grid(images, ["", ""]))
    assert (nameless == PAPER).all()
    named = np.asarray(class_grid(images, ["", "trouser"]))
    inked_rows = np.flatnonzero((named != PAPER).any(axis=1))
    middle_of_second_row = MARGIN + 56 + GAP + 28
    assert abs(inked_rows.mean() - middle_of_second_row) < 4
    assert inked_rows.min() > MARGIN + 56 + GAP
    titled = np.asarray(class_grid(images, ["", ""], title="a title that is far wider than two small images are"))
    assert titled.shape[1] > nameless.shape[1]
    assert (titled[:, -MARGIN:] == PAPER).all()  # not cut off


def test_ten_by_ten_is_fast():
    class_grid(numbered(10, 10), GARMENTS.class_names)
    begin = time.perf_counter()
    class_grid(numbered(10, 10), GARMENTS.class_names, title="epoch 10")
    assert time.perf_counter() - begin < 0.1


@pytest.mark.parametrize(
    ("images", "names", "message"),
    [
        (np.zeros((2, 2, 28, 28)), ["a", "b"], "uint8"),
        (np.zeros((2, 28, 28), np.uint8), ["a", "b"], "rows, columns"),
        (np.zeros((0, 2, 28, 28), np.uint8), [], "rows, columns"),
        (np.zeros((2, 2, 28, 28), np.uint8), ["a"], "2 names"),
    ],
)
def test_refuses_what_is_no_grid(images, names, message):
    with pytest.raises(ValueError, match=message):
        class_grid(images, names)


def test_side_by_side_keeps_every_picture_whole():
    grids = [Image.new("L", (200, 100), level) for level in (10, 20, 30, 40)]
    picture = np.asarray(side_by_side([(f"run {n}", grid) for n, grid in enumerate(grids)], columns=3))
    height, width = picture.shape
    assert width == 3 * 200
    for place, level in enumerate((10, 20, 30, 40)):
        x, bottom = place % 3 * 200, (place // 3 + 1) * height // 2
        assert (picture[bottom - 100 : bottom, x : x + 200] == level).all()
        assert (picture[bottom - 130 : bottom - 100, x : x + 200] < PAPER).any()  # its title, right above it


def test_side_by_side_wraps_long_titles():
    grid = Image.new("L", (200, 100), 0)
    short = side_by_side([("loss=hinge", grid)])
    long = side_by_side([("loss=hinge, network.width=96, training.n_critic=5, seed 0", grid)])
    assert long.width == short.width == 200
    assert long.height > short.height
    with pytest.raises(ValueError, match="at least one"):
        side_by_side([])

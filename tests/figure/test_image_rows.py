import numpy as np
import pytest

from fmcgan.figure.grid import GAP, MARGIN, NAME_SIZE
from fmcgan.figure.image_rows import Block, Row, Tile, rows_picture
from fmcgan.figure.palette import GENERATED

SIDE = 3 * 28


def tile(level: int, *words: str, marked: bool = False) -> Tile:
    return Tile(np.full((28, 28), level, dtype=np.uint8), words, marked)


def test_tiles_are_drawn_pixel_by_pixel():
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    picture = np.asarray(rows_picture([Block("a", 2)], [Row([[tile(0), Tile(image)]]), Row([[tile(9)]])]))
    large = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    black = np.argwhere((picture == 0).all(axis=2))  # from the first tile's corner on
    top, left = black[0][0], black[:, 1].min()
    left += SIDE + 2
    for channel in range(3):
        np.testing.assert_array_equal(picture[top : top + SIDE, left : left + SIDE, channel], large)


def test_only_what_is_marked_is_vermilion():
    red, green, blue = (int(GENERATED[place : place + 2], 16) for place in (1, 3, 5))
    assert red > green + 100 > blue + 100

    def vermilion(marked: bool) -> int:
        picture = rows_picture([Block("a", 1)], [Row([[tile(0, "word", "more", marked=marked)]], "name")])
        shown = np.asarray(picture).astype(int)
        return int((shown[:, :, 0] > shown[:, :, 1] + 60).sum())

    assert vermilion(True) > 20
    assert vermilion(False) == 0


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="at least one row"):
        rows_picture([Block("a", 1)], [])
    with pytest.raises(ValueError, match=r"at most \[1, 2\] images, got \[2, 0\]"):
        rows_picture([Block("a", 1), Block("b", 2)], [Row([[tile(0), tile(1)], []])])
    with pytest.raises(ValueError, match=r"uint8 \[H, W\] or \[H, W, 3\], got float64 \[28, 28\]"):
        Tile(np.zeros((28, 28)))


@pytest.mark.parametrize(("size", "scale", "width"), [(16, 5, 84), (32, 3, 96), (64, 1, 84)])
def test_colour_images_of_any_size_are_magnified_in_the_middle_of_their_column(size, scale, width):
    image = np.random.default_rng(0).integers(1, 250, (size, size, 3), dtype=np.uint8)
    words = ["a name that is far too long for its column"]
    picture = np.asarray(rows_picture([Block("a", 2)], [Row([[Tile(image, words), Tile(255 - image, words)]])]))
    side, top, left = scale * size, MARGIN + 3 + NAME_SIZE + 4, MARGIN
    for column, shown in enumerate((image, 255 - image)):
        x = left + column * (width + GAP) + (width - side) // 2
        large = shown.repeat(scale, axis=0).repeat(scale, axis=1)
        np.testing.assert_array_equal(picture[top : top + side, x : x + side], large)
    below = picture[top + side :]
    assert (below[:, left : left + width] < 128).any()
    assert (below[:, left + width : left + width + GAP] == 255).all()  # words end with their column


def test_images_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="the same size"):
        rows_picture([Block("a", 2)], [Row([[tile(0), Tile(np.zeros((16, 16), np.uint8))]])])

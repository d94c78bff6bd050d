"""Pictures on paper: which of their pixels are images, and how both layers make the whole again."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fmcgan.figure.grid import class_grid, side_by_side
from fmcgan.figure.image_rows import Block, Row, Tile, rows_picture
from fmcgan.figure.paper import PAPER, layers, paste, sheet
from fmcgan.figure.strip import strip


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def drawn():
    """A sheet with an image and, beside it, words in two colours."""
    paper = sheet("RGB", (60, 40))
    paste(paper, Image.fromarray(noise(20, 20, 3)), (5, 10))
    draw = ImageDraw.Draw(paper)
    draw.rectangle((30, 5, 39, 14), fill=(45, 45, 45))
    draw.rectangle((30, 20, 39, 29), fill=(255, 128, 0))
    return paper


def test_only_what_was_pasted_is_image():
    images, words = (np.asarray(each) for each in layers(drawn()))
    inside = np.zeros((40, 60), dtype=bool)
    inside[10:30, 5:25] = True
    assert ((images[..., 3] == 255) == inside).all()
    assert ((images[..., 3] == 0) == ~inside).all()
    np.testing.assert_array_equal(images[10:30, 5:25, :3], noise(20, 20, 3))
    assert not words[inside].any()


def test_ink_is_the_more_opaque_the_darker_it_is_and_keeps_its_hue():
    words = np.asarray(layers(drawn())[1])
    assert words[0, 0].tolist() == [0, 0, 0, 0]
    assert words[5, 30].tolist() == [0, 0, 0, 210]  # 255 - 210 = 45 on white
    assert words[20, 30].tolist() == [255, 128, 0, 255]


def grids():
    grid = class_grid(noise(2, 3, 8, 8), ["one", "two"], title="both")
    return {
        "grid": grid,
        "grids": side_by_side([("a", grid), ("b", class_grid(noise(2, 3, 8, 8, 3), ["one", "two"]))]),
        "rows": rows_picture([Block("head", 2)], [Row([[Tile(noise(8, 8), ("word",)), Tile(noise(8, 8))]], "name")]),
        "strip": strip(noise(4, 8, 8)),
    }


@pytest.mark.parametrize("name", grids())
def test_both_layers_on_white_are_the_picture(name):
    picture = grids()[name]
    whole = Image.new("RGBA", picture.size, "white")
    for layer in layers(picture):
        whole.alpha_composite(layer)
    difference = np.asarray(whole.convert("RGB")).astype(int) - np.asarray(picture.convert("RGB"))
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    ("name", "count", "side"), [("grid", 6, 56), ("grids", 12, 56), ("rows", 2, 80), ("strip", 4, 56)]
)
def test_the_images_are_as_large_as_all_that_was_drawn(name, count, side):
    images = np.asarray(layers(grids()[name])[0])
    assert (images[..., 3] > 0).sum() == count * side**2


def test_places_without_an_image_are_paper():
    images = np.full((1, 2, 8, 8), PAPER, dtype=np.uint8)
    images[0, 0] = 7
    assert (np.asarray(layers(class_grid(images, [""]))[0])[..., 3] > 0).sum() == 56**2


def test_a_picture_of_something_else_is_not_split():
    assert layers(Image.new("RGB", (3, 3))) is None

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fmcgan.figure.grid import GAP, MARGIN, PAPER
from fmcgan.figure.occlusion import BETWEEN, STRONGEST, MeanMap, SampleRow, maps_figure, overlaid, samples_picture
from fmcgan.figure.palette import GENERATED

COLOUR = 255 * np.array(to_rgb(GENERATED))


def heat_at(row: int, column: int) -> np.ndarray:
    heat = np.full((28, 28), -1.0, np.float32)
    heat[row, column] = 4
    heat[0, 0] = 2
    return heat


def test_heat_is_laid_over_the_image_in_proportion():
    image = np.full((28, 28), 100, np.uint8)
    drawn = overlaid(image, heat_at(5, 9)).astype(float)
    assert drawn.shape == (28, 28, 3)
    np.testing.assert_allclose(drawn[5, 9], (1 - STRONGEST) * 100 + STRONGEST * COLOUR, atol=0.51)
    np.testing.assert_allclose(drawn[0, 0], (1 - STRONGEST / 2) * 100 + STRONGEST / 2 * COLOUR, atol=0.51)
    assert (drawn[20, 20] == 100).all()  # what makes an image more suspicious is no clue
    assert (overlaid(image, -np.ones((28, 28), np.float32)) == 100).all()


def test_each_image_stands_beside_its_heat_and_pixels_are_not_blurred():
    caught = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
    passed = np.full((3, 28, 28), 77, np.uint8)
    heats = np.stack([heat_at(5, 9), heat_at(20, 3)])
    rows = [SampleRow("bag", caught, heats, passed), SampleRow("boot", caught[:1], heats[:1], passed[:1])]
    picture = samples_picture(rows)
    pixels = np.asarray(picture)
    assert picture.mode == "RGB"
    step, top = 56 + GAP, picture.height - MARGIN - 2 * (56 + GAP) + GAP
    tiles = [overlaid(caught[0], 0 * heats[0]), overlaid(caught[0], heats[0]), overlaid(caught[1], 0 * heats[1])]
    # The row names are the only thing to the left of the images.
    left = next(x for x in range(picture.width) if (pixels[top, x : x + 56 : 2] == tiles[0][0]).all())
    for column, tile in enumerate([*tiles, overlaid(caught[1], heats[1])]):
        shown = pixels[top : top + 56, left + column * step : left + column * step + 56]
        for dy in range(2):
            for dx in range(2):
                np.testing.assert_array_equal(shown[dy::2, dx::2], tile)
    after = left + 4 * step + BETWEEN
    assert (pixels[top : top + 56, after : after + 56] == 77).all()
    second = pixels[top + step : top + step + 56, left + 2 * step : after]
    assert (second == PAPER).all()  # the second row has one image only


def test_each_class_has_a_map_up_to_its_own_largest_value():
    shape = np.zeros((28, 28), np.float32)
    shape[8:20, 8:20] = 200
    maps = [MeanMap(f"class {n}", (n + 1) * np.maximum(heat_at(n + 1, n + 1), 0), shape) for n in range(7)]
    figure = maps_figure(maps, "where")
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == [each.title for each in maps]
    for n, axes in enumerate(shown):
        assert axes.images[0].get_clim() == (0, 4 * (n + 1))
        assert np.unravel_index(axes.images[0].get_array().argmax(), (28, 28)) == (n + 1, n + 1)
        assert axes.images[0].get_interpolation() == "nearest"
        outline = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
        assert ((outline > 7) & (outline < 20)).all()
    maps_figure([MeanMap("black", np.zeros((28, 28)), np.zeros((28, 28)))], "no outline, no heat")


def test_mean_maps_in_colour_lie_over_the_mean_image():
    mean = np.full((16, 16, 3), [200.0, 100, 50], np.float32)
    heat = np.zeros((16, 16), np.float32)
    heat[3, 5] = 2
    (axes,) = [each for each in maps_figure([MeanMap("sky", heat, mean)], "where").axes if each.images]
    np.testing.assert_array_equal(axes.images[0].get_array(), overlaid(mean.astype(np.uint8), heat))
    assert not axes.collections  # no outline


def test_nothing_to_draw_is_refused():
    for draw in (samples_picture, lambda rows: maps_figure(rows, "")):
        with pytest.raises(ValueError, match="at least one"):
            draw([])


def test_colour_images_of_another_size_keep_their_colours_where_there_is_no_heat():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    heat = np.zeros((16, 16), np.float32)
    heat[3, 5] = 2
    drawn = overlaid(image, heat)
    np.testing.assert_allclose(drawn[3, 5], (1 - STRONGEST) * image[3, 5] + STRONGEST * COLOUR, atol=0.51)
    drawn[3, 5] = image[3, 5]
    np.testing.assert_array_equal(drawn, image)
    picture = samples_picture([SampleRow("sky", image[None], heat[None], np.stack([image, image]))])
    large = overlaid(image, heat).repeat(4, axis=0).repeat(4, axis=1)  # 64 pixels
    left = picture.width - MARGIN - 2 * (64 + GAP) - BETWEEN - (64 + GAP)
    top = picture.height - MARGIN - 64
    shown = np.asarray(picture)[top : top + 64]
    assert any((shown[:, x : x + 64] == large).all() for x in range(left - 80, left + 80))

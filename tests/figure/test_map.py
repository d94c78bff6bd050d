import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fmcgan.data.garments import GARMENTS
from fmcgan.figure.files import png_bytes
from fmcgan.figure.grid import GAP, PAPER
from fmcgan.figure.map import BACKGROUND, FEW, OTHER_CLASSES, Cloud, class_map, origin_map, thumbnail_map
from fmcgan.figure.palette import CLASS_COLOURS, GENERATED, REAL, class_colours

NAMES = dict(enumerate(GARMENTS.class_names))


def cloud(positions, labels=None, seed=0) -> Cloud:
    """Images that differ from each other, at given places."""
    given = np.asarray(positions, dtype=np.float64)
    images = np.random.default_rng(seed).integers(0, 256, (len(given), 28, 28), dtype=np.uint8)
    return Cloud(given, np.zeros(len(given), dtype=np.int64) if labels is None else np.asarray(labels), images)


def spread(n, seed, centre=(0.0, 0.0)) -> np.ndarray:
    return np.random.default_rng(seed).normal(centre, 1, (n, 2))


def as_pairs(offsets, colours) -> set:
    return {(*np.round(p, 9), *np.round(c[:3], 9)) for p, c in zip(offsets, colours, strict=True)}


def test_classes_each_origin_has_its_panel_and_each_point_the_colour_of_its_class():
    labels = np.array([3, 3, 9, 0])
    real, generated = cloud(spread(4, 0), labels), cloud(spread(4, 1) + 5, labels[::-1])
    fitted = spread(30, 2)
    figure = class_map(fitted, real, generated, NAMES, "UMAP")
    assert len(figure.axes) == 2
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["real (4)", "generated (4)"]
    for axes, shown in zip(figure.axes, (real, generated), strict=True):
        behind, dots = axes.collections
        np.testing.assert_array_equal(behind.get_offsets(), fitted)
        np.testing.assert_allclose(behind.get_facecolor()[0, :3], to_rgb(BACKGROUND))
        expected = [to_rgb(CLASS_COLOURS[label]) for label in shown.labels]
        assert as_pairs(dots.get_offsets(), dots.get_facecolor()) == as_pairs(shown.positions, expected)
    first, second = figure.axes
    assert (first.get_xlim(), first.get_ylim()) == (second.get_xlim(), second.get_ylim())
    low, high = first.get_xlim()
    assert low < real.positions[:, 0].min()  # the generated ones are far at the right, and still within
    assert high > generated.positions[:, 0].max()


def test_classes_are_named_at_a_point_of_theirs_even_if_they_are_two_islands():
    islands = np.concatenate([spread(20, 0, (-50, 0)), spread(21, 1, (50, 0))])
    figure = class_map(islands, cloud(islands, [8] * 41), cloud(islands, [8] * 41), NAMES, "t-SNE")
    (name,) = figure.axes[0].texts
    assert name.get_text() == "bag"
    assert np.abs(islands - name.get_position()).sum(axis=1).min() == 0
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["bag", "training images of the fit"]


def test_origins_are_told_by_colour_and_neither_hides_the_other():
    real, generated = cloud(spread(300, 0)), cloud(spread(300, 1))
    dots = origin_map(real, generated, "PCA").axes[0].collections[0]
    expected = as_pairs(real.positions, [to_rgb(REAL)] * 300) | as_pairs(generated.positions, [to_rgb(GENERATED)] * 300)
    assert as_pairs(dots.get_offsets(), dots.get_facecolor()) == expected
    is_generated = np.all(np.isclose(dots.get_facecolor()[:, :3], to_rgb(GENERATED)), axis=1)
    assert 100 < is_generated[:300].sum() < 200  # drawn in a mixed order


def test_cells_show_the_share_of_generated_images():
    """Three places: only real, only generated, and both alike; and a fourth with too few to say."""
    places = [(0, 0)] * 20 + [(10, 10)] * 10
    others = [(10, 0)] * 20 + [(10, 10)] * 10 + [(0, 10)] * (FEW - 3)
    cells = origin_map(cloud(places), cloud(others), "PCA").axes[1].collections[0]
    shares = {
        tuple(np.round(place)): share for place, share in zip(cells.get_offsets(), cells.get_array(), strict=True)
    }
    assert shares == {(0, 0): 0.0, (10, 0): 1.0, (10, 10): 0.5}


def tile(picture, half, column, row, side) -> np.ndarray:
    """The cell of a square thumbnail map of so many columns and rows: half 0 is real, 1 generated."""
    pixels, step = np.asarray(picture), 28 + GAP
    top, left = len(pixels) - 10 - side * step, 10 if half == 0 else 30 + side * step
    return pixels[top + row * step :, left + column * step :][: step - GAP, : step - GAP]


def test_thumbnails_lie_in_their_cell_pixel_for_pixel():
    """Ten columns of side 1: row 0 is on top."""
    real = cloud([(0, 10), (10, 0), (3.5, 8.5), (3.9, 8.9)], seed=1)
    generated = cloud([(0, 0), (10, 10), (3.1, 8.1), (3.6, 8.5)], seed=2)
    picture = thumbnail_map(real, generated, columns=10)
    assert picture.mode == "RGB"

    def is_image(half, column, row, images, index):
        expected = np.stack([images.images[index]] * 3, axis=2)
        np.testing.assert_array_equal(tile(picture, half, column, row, 10), expected)

    is_image(0, 0, 0, real, 0)
    is_image(0, 9, 9, real, 1)
    is_image(0, 3, 1, real, 2)  # nearer to the middle of the cell than the last one
    is_image(1, 0, 9, generated, 0)
    is_image(1, 9, 0, generated, 1)
    is_image(1, 3, 1, generated, 3)
    assert (tile(picture, 0, 5, 5, 10) == PAPER).all()


def test_a_cell_is_coloured_only_where_the_other_origin_has_several():
    here, there, few = (0, 0), (10, 10), (10, 0)
    real = cloud([here] * FEW + [few] * (FEW - 1) + [(5.5, 5.5)] * FEW)
    generated = cloud([there] * FEW + [(5.5, 5.5)])
    picture = thumbnail_map(real, generated, columns=10)
    hole, surplus = tile(picture, 1, 0, 9, 10), tile(picture, 0, 9, 0, 10)
    assert (hole == hole[0, 0]).all()
    assert hole[0, 0, 2] > hole[0, 0, 0]  # bluish: real images
    assert surplus[0, 0, 0] > surplus[0, 0, 2]  # reddish: generated ones
    assert (tile(picture, 1, 9, 9, 10) == PAPER).all()  # too few to say
    assert (tile(picture, 1, 5, 4, 10) == np.stack([generated.images[FEW]] * 3, axis=2)).all()


def test_flat_and_single_points_are_drawn():
    one = cloud([(3, 3)])
    thumbnail_map(one, one)
    for figure in (class_map(one.positions, one, one, NAMES, "PCA"), origin_map(one, one, "PCA")):
        assert png_bytes(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("n", [0, 3])
def test_refuses_a_cloud_that_does_not_fit_together(n):
    with pytest.raises(ValueError, match="a cloud needs"):
        Cloud(np.zeros((n, 2)), np.zeros(n, dtype=np.int64), np.zeros((n - n // 3, 28, 28), np.uint8))


def test_classes_without_a_colour_are_grey_and_share_an_entry_of_the_legend():
    labels = np.arange(26)
    shown = cloud(spread(26, 0), labels)
    names = {label: f"class {label}" for label in range(0, 26, 2)}
    figure = class_map(spread(30, 2), shown, shown, names, "PCA")
    dots = figure.axes[0].collections[1]
    own = dict(zip(names, (each for each in class_colours(14) if each != "#7A7A7A"), strict=True))
    expected = [to_rgb(own.get(label, OTHER_CLASSES)) for label in labels.tolist()]
    assert as_pairs(dots.get_offsets(), dots.get_facecolor()) == as_pairs(shown.positions, expected)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [*names.values(), "other classes", "training images of the fit"]
    assert {text.get_text() for text in figure.axes[0].texts} == set(names.values())


@pytest.mark.parametrize(("size", "columns"), [(16, 36), (32, 19), (64, 16)])
def test_thumbnails_in_colour_have_about_the_same_width_for_any_size(size, columns):
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    two = Cloud(np.array([(0.0, 1.0), (1.0, 0.0)]), np.zeros(2, dtype=np.int64), images)
    picture = np.asarray(thumbnail_map(two, two))
    step, head = size + GAP, len(picture) - 10 - columns * (size + GAP)
    np.testing.assert_array_equal(picture[head : head + size, 10 : 10 + size], images[0])
    last = (columns - 1) * step
    np.testing.assert_array_equal(picture[head + last :, 10 + last :][:size, :size], images[1])
